import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Store } from "../store/store.ts";
import { hashSecret, isSecret, makeSecret, randomText } from "./secret.ts";

/** Where a server is reached from its own machine. */
export interface ServerAddress {
  readonly url: string;
  readonly port: number;
}

/** The admin token of whoever may read the data directory. */
export interface LocalToken {
  readonly token: string;
  /** Where it is kept: `<data>/local-token`. */
  readonly file: string;
  /** Undefined when it could not be written; then programs on this machine have to be given a token. */
  readonly discoveryFile: string | undefined;
}

const idPrefix = "t_local_";

function discoveryPath(port: number): string {
  const state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(state, "manyhands", "servers", `local_${port}.json`);
}

/**
 * Makes or keeps the admin token in `<data>/local-token` (mode 0600), and tells programs of the same user on this machine
 * about it in `<state>/manyhands/servers/local_<port>.json`.
 */
export async function ensureLocalToken(
  store: Store,
  dataDirectory: string,
  { url, port }: ServerAddress,
): Promise<LocalToken> {
  const file = join(dataDirectory, "local-token");
  const token = (await keptToken(store, file)) ?? (await newToken(store, file));
  const discoveryFile = await writeDiscovery(port, { url, token, dataDirectory: resolve(dataDirectory) });
  return { token, file, discoveryFile };
}

/** Removes the discovery file if it is still this process's. */
export async function forgetLocalToken(port: number): Promise<void> {
  const file = discoveryPath(port);
  if ((await ownerOf(file)) === process.pid) await rm(file, { force: true });
}

async function keptToken(store: Store, file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").then(
    (content) => content.trim(),
    () => "",
  );
  if (!isSecret(text)) return undefined;
  const row = await store.findToken(hashSecret(text));
  if (row?.role !== "admin" || row.expiresAt !== undefined) return undefined;
  await chmod(file, 0o600);
  return text;
}

async function newToken(store: Store, file: string): Promise<string> {
  // The file was lost or replaced: whoever has the old token must not keep an admin's rights.
  for (const { id } of await store.listTokens()) if (id.startsWith(idPrefix)) await store.revokeToken(id);
  const token = makeSecret("admin");
  await store.createToken({
    id: `${idPrefix}${randomText(16)}`,
    hash: hashSecret(token),
    role: "admin",
    name: "local",
    createdAt: Date.now(),
    expiresAt: undefined,
    lastUsedAt: undefined,
  });
  await writePrivate(file, `${token}\n`);
  return token;
}

async function writeDiscovery(
  port: number,
  content: { url: string; token: string; dataDirectory: string },
): Promise<string | undefined> {
  const file = discoveryPath(port);
  const directory = dirname(file);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    await writePrivate(file, JSON.stringify({ ...content, pid: process.pid }));
    return file;
  } catch {
    // A home directory that cannot be written (a service account) takes a convenience away, not the server.
    return undefined;
  }
}

async function writePrivate(file: string, text: string): Promise<void> {
  // Removed first: `mode` counts only for a file that is made, and a link that someone left is not followed.
  await rm(file, { force: true });
  await writeFile(file, text, { mode: 0o600, flag: "wx" });
}

async function ownerOf(file: string): Promise<number | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as { pid?: number }).pid;
  } catch {
    return undefined;
  }
}
