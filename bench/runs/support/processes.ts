import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "..", "..", "..");

/** A process that a run started; ended with the run, whatever becomes of it. */
export interface Started {
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface StartedServer extends Started {
  readonly url: string;
  readonly token: string;
  readonly data: string;
}

const running = new Set<ChildProcess>();
const directories = new Set<string>();

/** A new empty directory that is removed by {@link endAll}. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-bench-"));
  directories.add(directory);
  return directory;
}

/** Does the work of a run, prints its result as the last line, and leaves neither processes nor files. */
export async function measureRun(run: () => Promise<{ value: number } & object>): Promise<void> {
  try {
    const result = await run();
    await endAll();
    console.log(JSON.stringify(result));
    process.exit(0);
  } catch (error) {
    await endAll();
    console.error(error);
    process.exit(1);
  }
}

async function endAll(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all([...running].map((child) => once(child, "exit")));
  for (const directory of directories) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** Starts a program and waits for the first line it prints. */
export async function startProcess(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Started & { firstLine: Promise<string> }> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const exited = once(child, "exit").finally(() => running.delete(child));
  exited.catch(() => undefined);
  const lines = createInterface({ input: child.stdout });
  const firstLine = Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    exited.then(() => Promise.reject(new Error(`${command} ended before it was ready`))),
  ]);
  firstLine.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    firstLine,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await exited;
    },
  };
}

/** Starts a real server on a free port and a directory of its own. */
export async function startServer(
  flags: readonly string[] = [],
  { nodeFlags = [], env = {} }: { nodeFlags?: readonly string[]; env?: Record<string, string> } = {},
): Promise<StartedServer> {
  const data = await temporaryDirectory();
  const launcher = join(root, "bin", "manyhands.js");
  const args = ["server", "--json", "--port", "0", "--data", data, "--log-level", "warn", ...flags];
  const started = await startProcess(process.execPath, [...nodeFlags, launcher, ...args], {
    ...env,
    XDG_STATE_HOME: join(data, "state"),
  });
  const { url, tokenFile } = JSON.parse(await started.firstLine) as { url: string; tokenFile: string };
  return { ...started, url, data, token: (await readFile(tokenFile, "utf8")).trim() };
}

/** Starts a real headless client; with `cache`, on that directory instead of one of its own. */
export async function startClient(
  server: { url: string; token: string },
  flags: readonly string[] = [],
  { cache, nodeFlags = [] }: { cache?: string; nodeFlags?: readonly string[] } = {},
): Promise<Started> {
  const directory = cache ?? (await temporaryDirectory());
  const launcher = join(root, "bin", "manyhands.js");
  const args = ["client", "--server", server.url, "--cache-dir", directory, "--log-level", "warn", ...flags];
  return startProcess(process.execPath, [...nodeFlags, launcher, ...args], { MANYHANDS_TOKEN: server.token });
}
