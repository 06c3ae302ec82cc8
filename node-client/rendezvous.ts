import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, PlatformError } from "../shared/errors.ts";
import { maxRendezvousBytes, parseRendezvous, type Rendezvous } from "../shared/wire/rendezvous.ts";
import { parseServerAddress } from "../shared/server-address.ts";
import { readSmallFile } from "../system/read-small-file.ts";
import { isAlive } from "./is-alive.ts";

/** Period in which the file is looked for: a network file system shows a new file only after some seconds anyway. */
const lookEveryMs = 500;
const probeTimeoutMs = 5_000;

/** Address and token of the server of a rendezvous file. */
interface Meeting {
  readonly url: string;
  readonly token: string;
}

interface MeetOptions {
  /** Time to wait for a file whose server answers. */
  readonly waitMs: number;
  /** Called once for every new reason to go on waiting. */
  readonly log?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for a rendezvous file whose server lives, and returns the first of its addresses that answers. The file of a dead
 * server is ignored: its process is gone (on the same host), no server answers, or another server does not know its token.
 * @throws PlatformError BAD_OPTION when the file is of another kind or readable by others, UNREACHABLE when the time is over
 */
export async function meet(file: string, { waitMs, log, signal }: MeetOptions): Promise<Meeting> {
  const end = performance.now() + waitMs;
  let told = "";
  for (;;) {
    const found = await look(file);
    if (typeof found !== "string") return found;
    if (found !== told) log?.(`Waiting for a server: ${found}.`);
    told = found;
    if (performance.now() >= end)
      throw new PlatformError(
        "UNREACHABLE",
        `No server was met through ${file} within ${Math.round(waitMs / 1000)} s: ${found}.`,
      );
    await sleep(lookEveryMs, undefined, { signal });
  }
}

/** The server to join, or the reason why there is none yet. */
async function look(file: string): Promise<Meeting | string> {
  const rendezvous = await read(file);
  if (typeof rendezvous === "string") return rendezvous;
  const { host, pid, token } = rendezvous;
  if (host === hostname() && !isAlive(pid))
    return `${file} is of a server that is gone (process ${pid} of ${host})`;
  const answers = await Promise.all(
    addresses(rendezvous).map(async (url) => ({ url, said: await probe(url, token) })),
  );
  const taken = answers.find(({ said }) => said === "known");
  if (taken) return { url: taken.url, token };
  if (answers.some(({ said }) => said === "stranger"))
    return `another server answers at ${answers.map(({ url }) => url).join(", ")}; ${file} is out of date`;
  return `nobody answers at ${answers.map(({ url, said }) => `${url} (${said})`).join(", ")}`;
}

async function read(file: string): Promise<Rendezvous | string> {
  let text: string;
  try {
    const { mode } = await stat(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      throw new PlatformError(
        "BAD_OPTION",
        `${file} can be read or written by others (mode ${(mode & 0o777).toString(8)}); expected mode 600, because it holds a token.`,
      );
    text = readSmallFile(file, maxRendezvousBytes).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return `there is no ${file} yet`;
    // A network file system reports this for a file that was replaced while it was read.
    if ((error as NodeJS.ErrnoException).code === "ESTALE") return `${file} is being replaced`;
    if (error instanceof PlatformError) throw error;
    throw new PlatformError("BAD_OPTION", `${file} cannot be read: ${(error as Error).message}.`, error);
  }
  return parseRendezvous(text, file);
}

/**
 * The file's addresses in order. A loopback name means another machine elsewhere, so it is used on the server's own host only,
 * where it is the best.
 */
function addresses({ urls, host }: Rendezvous): string[] {
  const isLocal = (url: string): boolean => /^https?:\/\/(localhost|127\.|\[::1\])/.test(url);
  if (host === hostname()) return [...urls.filter(isLocal), ...urls.filter((url) => !isLocal(url))];
  return urls.filter((url) => !isLocal(url) || urls.every(isLocal));
}

/** "known" when the server knows this token; otherwise the reason why not. */
async function probe(url: string, token: string): Promise<string> {
  try {
    const response = await fetch(new URL("api/status", parseServerAddress(url)), {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(probeTimeoutMs),
    });
    await response.body?.cancel();
    // The server answers a known client token with 403, because clients may not read this, and an unknown token differently.
    return response.status === 403 || response.ok ? "known" : "stranger";
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return (cause as NodeJS.ErrnoException).code ?? messageOf(cause);
  }
}
