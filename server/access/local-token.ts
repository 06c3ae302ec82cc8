import { createHash } from "node:crypto";
import { chmod, readFile, rm } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { isShared } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { nameOfUser } from "./name-of-user.ts";
import { writePrivate } from "./private-file.ts";
import { hashSecret, isSecret, makeSecret, randomText } from "./secret.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** Host and port of a server, and its URL for programs of its own machine. */
interface ServerAddress {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** The admin token for every account that may read the data directory. */
export interface LocalToken {
  readonly token: string;
  /** The file that keeps the token: `<data>/local-token`. */
  readonly tokenFile: string;
  /** The file by which programs of this user find the token; undefined when it could not be written. */
  readonly discoveryFile: string | undefined;
  /** Removes the discovery file unless another server has replaced it. The token stays for the next start. */
  remove(): Promise<void>;
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
  address: ServerAddress,
): Promise<LocalToken> {
  const tokenFile = join(dataDirectory, "local-token");
  const token = (await keptToken(store, tokenFile)) ?? (await newToken(store, tokenFile));
  const discoveryFile = await writeDiscovery(address, { token, dataDirectory: resolve(dataDirectory) });
  const remove = async (): Promise<void> => {
    if (discoveryFile && (await ownerOf(discoveryFile)) === process.pid)
      await rm(discoveryFile, { force: true });
  };
  return { token, tokenFile, discoveryFile, remove };
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
  // The file was lost or replaced: the holder of the old token must not keep an admin's rights.
  const prefix = isShared(store) ? `${idPrefix}${nameOfDirectory(file)}_` : idPrefix;
  for (const { id } of await store.listTokens()) if (id.startsWith(prefix)) await store.revokeToken(id);
  const token = makeSecret("admin");
  await store.createToken({
    id: `${prefix}${randomText(16)}`,
    hash: hashSecret(token),
    role: "admin",
    name: nameOfUser(),
    createdAt: Date.now(),
    expiresAt: undefined,
    lastUsedAt: undefined,
  });
  await writePrivate(file, `${token}\n`);
  return token;
}

/** Names a data directory among those of the servers that share a store. */
function nameOfDirectory(file: string): string {
  return createHash("sha256")
    .update(`${hostname()} ${resolve(file)}`)
    .digest("hex")
    .slice(0, 12);
}

/** Hosts that take the port on this machine, so that no server of another user can be there. */
const reachedLocally = new Set(["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"]);

async function writeDiscovery(
  { url, host, port }: ServerAddress,
  secret: { token: string; dataDirectory: string },
): Promise<string | undefined> {
  if (!reachedLocally.has(host)) return undefined;
  const file = discoveryPath(port);
  const directory = dirname(file);
  try {
    makeDirectory(directory, 0o700);
    await chmod(directory, 0o700);
    await writePrivate(file, JSON.stringify({ url, ...secret, pid: process.pid }));
    return file;
  } catch {
    // A home directory that cannot be written (a service account) costs a convenience, not the server.
    return undefined;
  }
}

async function ownerOf(file: string): Promise<number | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as { pid?: number }).pid;
  } catch {
    return undefined;
  }
}
