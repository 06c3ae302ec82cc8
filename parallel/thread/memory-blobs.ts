import { createHash } from "node:crypto";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { StoredBlobs } from "../../server/blobs/blob-store.ts";
import { KeptNames } from "../../server/blobs/kept-names.ts";
import { eachChunk, type ByteSource } from "../../server/blobs/each-chunk.ts";
import type { BlobOwner, Store } from "../../server/store/store.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";

/** A blob that no job refers to may be removed after this long, when its room is needed. */
const keepMs = 10 * 60_000;

/** Blobs of a program without SCRATCH, in memory. */
export class MemoryBlobs implements StoredBlobs {
  readonly damaged: ReadonlySet<Sha256> = new Set();
  readonly #blobs = new Map<Sha256, Buffer>();
  readonly #kept = new KeptNames();
  readonly #store: Store;
  readonly #quotaBytes: number;
  #usedBytes = 0;

  constructor(store: Store, quotaBytes: number) {
    this.#store = store;
    this.#quotaBytes = quotaBytes;
  }

  /** Blobs in memory are as they came. */
  isVerified(): boolean {
    return true;
  }

  async verify(): Promise<"sound"> {
    return "sound";
  }

  /** @throws PlatformError HASH_MISMATCH, STORE_FULL, BAD_REQUEST (the upload broke off); the blob is then not kept */
  async write(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    declaredSize = 0,
  ): Promise<BlobName & { created: boolean }> {
    const known = await this.stat(sha256, owner);
    if (known) {
      await this.#store.touchBlob(known);
      return { ...known, created: false };
    }
    await this.#makeRoom(declaredSize);
    const bytes = await this.#receive(source);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== sha256)
      throw new PlatformError(
        "HASH_MISMATCH",
        `The ${bytes.length} bytes uploaded as blob ${sha256} have the SHA-256 ${found}.`,
      );
    const name = { sha256, size: bytes.length };
    if (!this.#blobs.has(sha256)) this.#usedBytes += bytes.length;
    this.#blobs.set(sha256, bytes);
    await this.#store.touchBlob(name, owner);
    return { ...name, created: true };
  }

  async stat(sha256: Sha256, owner?: BlobOwner): Promise<BlobName | undefined> {
    if (owner && !(await this.#store.getBlob(sha256, owner))) return undefined;
    const bytes = this.#blobs.get(sha256);
    return bytes && { sha256, size: bytes.length };
  }

  open(sha256: Sha256, [start, end]: readonly [number, number] = [0, Infinity]): Readable {
    const bytes = this.#blobs.get(sha256);
    if (bytes) return Readable.from([bytes.subarray(start, end)], { objectMode: false });
    return new Readable().destroy(
      new PlatformError("NOT_FOUND", `There is no blob ${sha256}.`, undefined, hints.blob),
    );
  }

  async send(sha256: Sha256, range: readonly [number, number], sink: Writable): Promise<void> {
    await pipeline(this.open(sha256, range), sink);
  }

  async chunkDigests(sha256: Sha256, chunkBytes: number = limits.chunkBytes): Promise<Buffer | undefined> {
    const bytes = this.#blobs.get(sha256);
    if (!bytes) return undefined;
    const digests: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes)
      digests.push(
        createHash("sha256")
          .update(bytes.subarray(at, at + chunkBytes))
          .digest(),
      );
    return Buffer.concat(digests);
  }

  /** Keeps blobs from being removed. @returns a function that ends this */
  keep(names: readonly Sha256[]): () => void {
    return this.#kept.add(names);
  }

  removeUnowned(sha256: Sha256): Promise<void> {
    return this.#remove(sha256, "unowned");
  }

  async #remove(sha256: Sha256, when: number | "unowned"): Promise<void> {
    if (this.#kept.has(sha256) || !(await this.#store.forgetBlob(sha256, when))) return;
    this.#usedBytes -= this.#blobs.get(sha256)?.length ?? 0;
    this.#blobs.delete(sha256);
  }

  async #receive(source: ByteSource): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    await eachChunk(source, (chunk) => {
      size += chunk.length;
      chunks.push(chunk);
      return this.#makeRoom(size);
    });
    return Buffer.concat(chunks);
  }

  async #makeRoom(bytes: number): Promise<void> {
    if (this.#usedBytes + bytes <= this.#quotaBytes) return;
    const before = Date.now() - keepMs;
    for (const { sha256 } of await this.#store.unreferencedBlobs(before, 1000))
      await this.#remove(sha256, before);
    if (this.#usedBytes + bytes <= this.#quotaBytes) return;
    throw new PlatformError(
      "STORE_FULL",
      `No room for ${bytes} more bytes of blobs in memory: ${this.#usedBytes} of ${this.#quotaBytes} are taken. Give a scratch directory: thread:N:SCRATCH.`,
    );
  }
}
