import type { Readable, Writable } from "node:stream";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { BlobOwner } from "../store/store.ts";
import type { BlobBackend, ByteRange, Verdict } from "./backend.ts";
import { ChunkDigests } from "./chunk-digests.ts";
import { Collection, type OneServerAtATime } from "./collection.ts";
import { BlobDirectory } from "./directory.ts";
import type { ByteSource } from "./each-chunk.ts";
import { blobError } from "./failure.ts";
import { KeyedLocks } from "./locks.ts";
import type { BlobParts, BlobRecords } from "./parts.ts";
import { Uploads, type UploadedPart, type UploadStretch } from "./uploads.ts";
import { BlobUses } from "./uses.ts";
import { Verification } from "./verification.ts";

export interface BlobStoreOptions {
  /** Most bytes of all blobs together. */
  readonly quotaBytes: number;
  /** Blobs without a reference are kept this long after their last upload or use. */
  readonly keepMs: number;
  /** Records the blobs and the jobs that refer to them. */
  readonly store: BlobRecords;
  /** Lock by which the servers of a store take turns to collect; absent: there is one server. */
  readonly collectAlone?: OneServerAtATime;
  /** Milliseconds since the epoch; the same as the store's. */
  readonly clock?: () => number;
  /** Called when a blob was found damaged and set aside, and when it was put again or removed. */
  readonly onDamage?: (sha256: Sha256, isDamaged: boolean) => void;
}

/** Opens the directory of blobs of one server; makes the directory when it is missing. @throws PlatformError DATA_DIRECTORY */
export function openBlobDirectory(directory: string, options: BlobStoreOptions): BlobStore {
  return new BlobStore(new BlobDirectory(directory, false), options);
}

/** The part of a blob store that requests use. */
export type StoredBlobs = Pick<
  BlobStore,
  | "write"
  | "stat"
  | "open"
  | "send"
  | "chunkDigests"
  | "keep"
  | "removeUnowned"
  | "verify"
  | "isVerified"
  | "damaged"
>;

/**
 * Immutable bytes by their SHA-256. All bytes are streamed in and out; no blob is ever held whole. The records in `store` are what
 * several servers agree on: the memory of one server only saves it writes and looks.
 */
export class BlobStore {
  readonly #parts: BlobParts;
  readonly #uses: BlobUses;
  readonly #uploads: Uploads;
  readonly #collection: Collection;
  readonly #digests: ChunkDigests;

  constructor(backend: BlobBackend, options: BlobStoreOptions) {
    const {
      quotaBytes,
      keepMs,
      store,
      collectAlone = (work) => work(),
      clock = Date.now,
      onDamage = () => {},
    } = options;
    const locks = new KeyedLocks<Sha256>();
    const verification = new Verification(backend, locks, clock, onDamage);
    this.#parts = { backend, store, locks, verification, clock, keepMs };
    this.#uses = new BlobUses(this.#parts);
    this.#collection = new Collection(this.#parts, this.#uses, collectAlone);
    this.#uploads = new Uploads(this.#parts, this.#uses, this.#collection, quotaBytes);
    this.#digests = new ChunkDigests(backend);
  }

  /**
   * Stores a blob for its sender; it is verified, on disk and recorded when this resolves. A blob that this owner has already is
   * verified where it is ([ROT-5]); it is not `created`, and `source` is then left unread: the caller drains it. Of a blob that others have
   * all bytes are read and verified ([READ-1]).
   * @param declaredSize - size that the sender announced, in bytes; a quota that it exceeds refuses at once
   * @throws PlatformError HASH_MISMATCH, TOO_LARGE, QUOTA_EXCEEDED, STORE_FULL, STORE_FAILED, BAD_REQUEST (the upload broke off); then
   * nothing is left behind
   */
  write(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    declaredSize?: number,
  ): Promise<BlobName & { created: boolean }> {
    return this.#uploads.write(sha256, source, owner, declaredSize);
  }

  /**
   * Takes a stretch of an upload that may go on over another connection ({@link BlobStore.uploaded}); as {@link BlobStore.write} with the
   * last one. A stretch that breaks off is kept as far as it came.
   * @returns the bytes that are here; with the last stretch, or when the sender has the blob already, the blob
   * @throws UploadConflict when another byte is next; PlatformError NOT_FOUND when nothing is kept of the upload; those of `write`
   */
  append(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    stretch: UploadStretch,
  ): Promise<{ offset: number } | (BlobName & { created: boolean })> {
    return this.#uploads.append(sha256, source, owner, stretch);
  }

  /** The part of the owner's upload that the server has; undefined when the server has no part, and the blob is not the owner's. */
  uploaded(sha256: Sha256, owner: BlobOwner): Promise<UploadedPart | undefined> {
    return this.#uploads.uploaded(sha256, owner);
  }

  /**
   * Name and size of a blob; undefined when the blob is missing, or not the given owner's. The call counts as a use, which keeps the blob
   * from collection for `keepMs`.
   */
  stat(sha256: Sha256, owner?: BlobOwner): Promise<BlobName | undefined> {
    return this.#uses.find(sha256, owner);
  }

  /**
   * Streams a blob, or the bytes `[start, end)` of it. The stream fails with PlatformError NOT_FOUND when the blob is not
   * here; a range beyond its end is cut off, so check it against {@link BlobStore.stat} first.
   */
  open(sha256: Sha256, range?: ByteRange): Readable {
    return this.#parts.backend.open(sha256, range);
  }

  /**
   * Writes the bytes `[start, end)` of a blob to `sink` and ends it. Check the range against {@link BlobStore.stat} first.
   * @param isToVerify - the last bytes wait until the whole blob was verified
   * @throws PlatformError NOT_FOUND, STORE_FAILED (it is damaged); an Error when `sink` was closed before its end
   */
  async send(sha256: Sha256, range: ByteRange, sink: Writable, isToVerify = false): Promise<void> {
    const verdict = isToVerify && !this.isVerified(sha256) ? this.verify(sha256) : undefined;
    // The reply may break off before the verdict is asked for.
    verdict?.catch(() => undefined);
    await this.#parts.backend.send(sha256, range, sink, verdict && (async () => (await verdict) === "sound"));
  }

  /** The origin of the addresses of {@link BlobStore.signedUrl}; undefined when there are none. */
  get signedOrigin(): string | undefined {
    return this.#parts.backend.signedOrigin;
  }

  /**
   * An address under which anybody reads the blob for ten minutes, without a look at the bytes; undefined when the blob is missing, is
   * not the given owner's, or has no such address. The call counts as a use, as with {@link BlobStore.stat}.
   */
  async signedUrl(sha256: Sha256, owner?: BlobOwner): Promise<string | undefined> {
    if (!this.#parts.backend.signedUrl) return undefined;
    try {
      const known = this.#uses.areRecent(sha256)
        ? await this.#parts.store.getBlob(sha256, owner)
        : await this.stat(sha256, owner);
      return known && (await this.#parts.backend.signedUrl(sha256));
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * SHA-256 of each chunk, 32 bytes each, one after another; undefined when the blob is not here, or was found damaged.
   * @param chunkBytes - `limits.chunkBytes` when absent: digests of those are kept
   */
  async chunkDigests(sha256: Sha256, chunkBytes?: number): Promise<Buffer | undefined> {
    const name = await this.stat(sha256);
    try {
      return name && (await this.#digests.of(name, chunkBytes));
    } catch (error) {
      if ((await this.verify(sha256)) === "damaged") return undefined;
      throw blobError(error);
    }
  }

  /** Blobs that were found damaged and set aside. They are as good as missing until they are put again. */
  get damaged(): ReadonlySet<Sha256> {
    return this.#parts.verification.damaged;
  }

  /** Reads which blobs were found damaged by earlier servers, for the start of a server. @throws PlatformError STORE_FAILED */
  readDamaged(): Promise<void> {
    return this.#parts.verification.readDamaged();
  }

  /** Whether the blob needs no verification: it was verified, or received, within the last hour, or the medium verifies itself. */
  isVerified(sha256: Sha256): boolean {
    return this.#parts.verification.isRecent(sha256);
  }

  /**
   * Reads a blob and compares its hash; a damaged blob is set aside and never served again.
   * @param bytesPerSecond - most bytes read a second
   * @throws PlatformError STORE_FAILED when the blob cannot be read for another reason than a bad disk
   */
  verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict> {
    return this.#parts.verification.verify(sha256, bytesPerSecond);
  }

  /** Every blob that is there. */
  list(): AsyncIterable<BlobName> {
    return this.#parts.backend.list();
  }

  async close(): Promise<void> {
    this.#parts.verification.close();
    await this.#parts.backend.close?.();
  }

  /** Keeps blobs from being collected, until the returned function is called. */
  keep(names: readonly Sha256[]): () => void {
    return this.#collection.keep(names);
  }

  /** Keeps every blob where it is until the returned function is called; unused blobs are removed later. */
  holdRemovals(): () => void {
    return this.#collection.hold();
  }

  /** The directory of the blobs; undefined when they are in a bucket. */
  get directory(): string | undefined {
    return this.#parts.backend.directory;
  }

  /** Whether the medium itself finds bytes that changed. */
  get verifiesItself(): boolean {
    return this.#parts.backend.verifiesItself;
  }

  /** Removes a blob without owners. @throws PlatformError STORE_FAILED, STORE_FULL */
  removeUnowned(sha256: Sha256): Promise<void> {
    return this.#collection.removeUnowned(sha256);
  }

  /**
   * Removes the blobs that no job refers to and that were not touched for `keepMs`, unless another server is at it. Every server calls
   * this regularly, also to tell the others that it lives and which blobs it keeps.
   * @throws PlatformError STORE_FAILED, STORE_FULL
   */
  async collect(): Promise<{ removed: number; bytes: number }> {
    try {
      await this.#uploads.removeIdle();
      return await this.#collection.run();
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * Compares files and records, for the start of a server. A file without a record (the server died between the two) is
   * recorded; it was verified before it got its name. Records without a file can come from a power cut alone: their blobs are
   * reported as `missing`, answer `stat` with undefined, and are mended by uploading them again.
   */
  async check(): Promise<{ adopted: number; missing: { count: number; bytes: number } }> {
    let adopted = 0;
    const there = { count: 0, bytes: 0 };
    for await (const file of this.#parts.backend.list()) {
      const recorded = await this.#parts.store.getBlob(file.sha256);
      if (recorded && recorded.size !== file.size) {
        // A file of another size is damaged.
        await this.#parts.locks.run(file.sha256, () => this.#parts.verification.setAside(file.sha256));
        continue;
      }
      if (!recorded) {
        await this.#parts.store.touchBlob(file);
        adopted++;
      }
      there.count++;
      there.bytes += file.size;
    }
    const recorded = await this.#parts.store.blobUsage();
    return {
      adopted,
      missing: { count: recorded.count - there.count, bytes: recorded.bytes - there.bytes },
    };
  }
}
