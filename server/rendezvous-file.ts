import { randomUUID } from "node:crypto";
import { chmod, open, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { messageOf, PlatformError } from "../shared/errors.ts";
import { formatRendezvous, maxRendezvousBytes, parseRendezvous } from "../shared/wire/rendezvous.ts";
import { readSmallFile } from "../system/read-small-file.ts";
import { hashSecret, isSecret, makeSecret, randomText } from "./access/secret.ts";
import type { Store } from "./store/store.ts";

/** A rendezvous file, which tells clients the addresses of a running server. */
interface RendezvousFile {
  /** Removes the file, unless another server has replaced it. */
  remove(): Promise<void>;
}

interface RendezvousOptions {
  readonly file: string;
  readonly dataDirectory: string;
  /** Every address of the server, the one for its own machine first. */
  readonly urls: readonly string[];
}

/**
 * Writes a rendezvous file (mode 0600, in one step) with a client token. The token is kept with the data: clients of
 * a restarted server come back with the token they have.
 * @throws PlatformError BAD_OPTION when the file cannot be written, or exists and is no rendezvous file
 */
export async function writeRendezvous(store: Store, options: RendezvousOptions): Promise<RendezvousFile> {
  const token = await clientToken(store, join(options.dataDirectory, "rendezvous-token"));
  const file = resolve(options.file);
  const start = randomUUID();
  const [own, ...others] = options.urls;
  const text = formatRendezvous({
    manyhands: 1,
    // The address for this machine comes last: on other machines it leads elsewhere, or nowhere.
    urls: [...others, ...(own === undefined ? [] : [own])],
    token,
    start,
    host: hostname(),
    pid: process.pid,
  });
  await refuseOther(file);
  try {
    await replacePrivate(file, text);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("BAD_OPTION", `The rendezvous file ${file} cannot be written: ${reason}.`, error);
  }
  return {
    async remove() {
      const written = await readFile(file, "utf8").catch(() => "");
      if (written.includes(start)) await rm(file, { force: true });
    },
  };
}

/** Refuses a path to another file or a device, which would be overwritten. An empty file may be a prepared place. */
async function refuseOther(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || (found.isFile() && found.size === 0)) return;
  let text: string;
  try {
    text = readSmallFile(file, maxRendezvousBytes).toString();
  } catch (error) {
    throw new PlatformError("BAD_OPTION", `${file} is no rendezvous file: ${messageOf(error)}.`, error);
  }
  parseRendezvous(text, file);
}

async function clientToken(store: Store, file: string): Promise<string> {
  const kept = await readFile(file, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
  if (isSecret(kept)) {
    const row = await store.findToken(hashSecret(kept));
    if (row?.role === "client" && row.expiresAt === undefined) {
      await chmod(file, 0o600);
      return kept;
    }
  }
  const token = makeSecret("client");
  await store.createToken({
    id: `t_rendezvous_${randomText(16)}`,
    hash: hashSecret(token),
    role: "client",
    name: "rendezvous",
    createdAt: Date.now(),
    expiresAt: undefined,
    lastUsedAt: undefined,
  });
  await replacePrivate(file, `${token}\n`);
  return token;
}

/** Replaces a file in one step: a reader sees the old text or the new, whole, and the mode is 0600 at every moment. */
async function replacePrivate(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    const handle = await open(aside, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
