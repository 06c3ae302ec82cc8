import { Readable } from "node:stream";
import type { Sha256 } from "../../shared/ids.ts";
import type { BlobOwner } from "../store/store.ts";
import type { ByteSource } from "./each-chunk.ts";
import type { IncomingFile } from "./incoming-file.ts";

/** Time after the last byte at which a partial upload is removed. */
const keptMs = 30 * 60_000;
/** Partial uploads of one sender; a client has three under way. */
const mostOfOwner = 16;
/** Partial uploads of all senders: each has a file and the state of its hash. */
const mostOfAll = 4096;

/** An upload whose sender may go on with it over another connection. */
export interface PartialUpload {
  readonly owner: BlobOwner;
  readonly file: IncomingFile;
  /** Bytes of the whole upload. */
  readonly size: number;
  /** Gives back the reserved bytes of the quota. Called once. */
  readonly release: () => void;
}

interface Kept extends PartialUpload {
  usedAt: number;
  /** The connection that brings bytes now. */
  connection: { readonly source: ByteSource; readonly ended: Promise<void> } | undefined;
}

/** The partial uploads of this server. Each is its sender's alone (SPEC.md [TRANSFER-2]). */
export class PartialUploads {
  readonly #clock: () => number;
  /** The least recently used is the first. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The sender's partial upload, once no other connection brings bytes of it: a connection that has not ended yet is dead, and is cut. */
  async take(sha256: Sha256, owner: BlobOwner): Promise<PartialUpload | undefined> {
    const key = keyOf(sha256, owner);
    for (;;) {
      const kept = this.#kept.get(key);
      if (!kept?.connection) return kept;
      const { source, ended } = kept.connection;
      if (source instanceof Readable) source.destroy(new Error("the sender goes on over another connection"));
      await ended;
    }
  }

  /** Whether a connection brings bytes of the sender's partial upload now. */
  isMoving(sha256: Sha256, owner: BlobOwner): boolean {
    return this.#kept.get(keyOf(sha256, owner))?.connection !== undefined;
  }

  /** Bytes of the sender's partial uploads, as whole uploads. */
  bytesOf(owner: BlobOwner): number {
    let bytes = 0;
    for (const { size } of this.#of(owner)) bytes += size;
    return bytes;
  }

  /** Keeps a new partial upload, in the place of an older one of the same name. */
  async add(partial: PartialUpload): Promise<void> {
    const { owner, file } = partial;
    const older = await this.take(file.sha256, owner);
    if (older) await this.drop(older);
    const others = this.#of(owner);
    if (others.length >= mostOfOwner) await this.#dropFirst(others);
    if (this.#kept.size >= mostOfAll) await this.#dropFirst([...this.#kept.values()]);
    this.#kept.set(keyOf(file.sha256, owner), { ...partial, usedAt: this.#clock(), connection: undefined });
  }

  /** Runs `receive`, which takes bytes or makes them the blob, while nothing else is done with the partial upload. */
  async receiving<T>(partial: PartialUpload, source: ByteSource, receive: () => Promise<T>): Promise<T> {
    const key = keyOf(partial.file.sha256, partial.owner);
    const kept = this.#kept.get(key);
    if (!kept) return receive();
    const { promise, resolve } = Promise.withResolvers<void>();
    kept.connection = { source, ended: promise };
    try {
      return await receive();
    } finally {
      kept.connection = undefined;
      if (this.#kept.get(key) === kept) {
        kept.usedAt = this.#clock();
        this.#kept.delete(key);
        this.#kept.set(key, kept);
      }
      resolve();
    }
  }

  /** Keeps the upload no longer; its file is the caller's. */
  forget({ file, owner }: PartialUpload): void {
    this.#kept.delete(keyOf(file.sha256, owner));
  }

  async drop(partial: PartialUpload): Promise<void> {
    this.forget(partial);
    partial.release();
    await partial.file.remove();
  }

  /**
   * Removes idle partial uploads.
   * @param all - also of those whose sender may come back soon, because their room is needed
   * @returns how many
   */
  async collect(all = false): Promise<number> {
    const before = all ? Infinity : this.#clock() - keptMs;
    const old = [...this.#kept.values()].filter(({ connection, usedAt }) => !connection && usedAt < before);
    for (const kept of old) await this.drop(kept);
    return old.length;
  }

  async #dropFirst(among: readonly Kept[]): Promise<void> {
    const first = among.find(({ connection }) => !connection);
    if (first) await this.drop(first);
  }

  #of(owner: BlobOwner): Kept[] {
    const whose = nameOf(owner);
    return [...this.#kept.values()].filter((kept) => nameOf(kept.owner) === whose);
  }
}

function keyOf(sha256: Sha256, owner: BlobOwner): string {
  return `${sha256} ${nameOf(owner)}`;
}

function nameOf(owner: BlobOwner): string {
  return "customer" in owner ? `customer ${owner.customer}` : `client ${owner.client}`;
}
