import type { Readable, Writable } from "node:stream";
import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { BlobOwner, Store } from "../store/store.ts";
import type { BlobBackend, ByteRange, ReceivedBlob, Verdict } from "./backend.ts";
import { ChunkDigests } from "./chunk-digests.ts";
import { BlobDirectory } from "./directory.ts";
import { EndedEarly, type ByteSource } from "./each-chunk.ts";
import { blobError } from "./failure.ts";
import { blobTooLarge, type IncomingFile } from "./incoming-file.ts";
import { KeptNames } from "./kept-names.ts";
import { KeyedLocks } from "./locks.ts";
import { PartialUploads, type PartialUpload } from "./partial-uploads.ts";
import { Quota } from "./quota.ts";
import { Verification } from "./verification.ts";

/** Runs `work` while no other server runs work of this kind; without running it, undefined when another server does. */
export type OneServerAtATime = <T>(work: () => Promise<T>) => Promise<T | undefined>;

export interface BlobStoreOptions {
  /** Most bytes of all blobs together. */
  readonly quotaBytes: number;
  /** Blobs without a reference are kept this long after their last upload or use. */
  readonly keepMs: number;
  /** Records the blobs and the jobs that refer to them. */
  readonly store: Pick<
    Store,
    "touchBlob" | "getBlob" | "disownBlob" | "checkRoom" | "blobUsage" | "unreferencedBlobs" | "forgetBlob"
  >;
  /** Lock by which the servers of a store take turns to collect; absent: there is one server. */
  readonly collectAlone?: OneServerAtATime;
  /** Milliseconds since the epoch; the same as the store's. */
  readonly clock?: () => number;
  /** Called when a blob was found damaged and set aside, and when it was put again or removed. */
  readonly onDamage?: (sha256: Sha256, isDamaged: boolean) => void;
}

/** A part of an upload, from one request. */
export interface UploadStretch {
  /** Bytes before it. */
  readonly offset: number;
  /** Bytes of the whole upload. */
  readonly size: number;
  /** Whether the upload ends with it. */
  readonly isLast: boolean;
  /** Called when the server removes the upload before its end. */
  readonly forgotten?: (() => void) | undefined;
}

/** The part of an upload that the server has. */
export interface UploadedPart {
  readonly offset: number;
  readonly size: number;
  readonly isComplete: boolean;
}

/** The next byte of an upload is another one than its sender takes it for. */
export class UploadConflict extends PlatformError {
  /** The next byte. */
  readonly offset: number;

  constructor(sha256: Sha256, { file, size }: PartialUpload, givenOffset: number, givenSize: number) {
    super(
      "CONFLICT",
      `The upload of blob ${sha256} has ${file.size} of ${size} bytes here; the request goes on behind byte ${givenOffset} of ${givenSize}.`,
      undefined,
      "Ask with HEAD where to go on.",
    );
    this.offset = file.size;
  }
}

/** Candidates in one step of a collection. */
const collectAtOnce = 500;
/** Blobs whose last touch is remembered: touching them again writes nothing. */
const rememberedTouches = 10_000;

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
  readonly #backend: BlobBackend;
  readonly #digests: ChunkDigests;
  readonly #store: BlobStoreOptions["store"];
  readonly #collectAlone: OneServerAtATime;
  readonly #keepMs: number;
  readonly #clock: () => number;
  readonly #quota: Quota;
  /** Times of the last touches. */
  readonly #touched = new LRUCache<Sha256, number>({ max: rememberedTouches });
  /** Blobs that stay although no job may refer to them. */
  readonly #kept = new KeptNames();
  readonly #verification: Verification;
  readonly #partials: PartialUploads;
  /** Callers of {@link BlobStore.holdRemovals}. */
  #holds = 0;
  /** Publishing and collecting a blob exclude each other. */
  readonly #locks = new KeyedLocks<Sha256>();

  constructor(backend: BlobBackend, options: BlobStoreOptions) {
    const {
      quotaBytes,
      keepMs,
      store,
      collectAlone = (work) => work(),
      clock = Date.now,
      onDamage = () => {},
    } = options;
    this.#backend = backend;
    this.#digests = new ChunkDigests(backend);
    this.#store = store;
    this.#collectAlone = collectAlone;
    this.#keepMs = keepMs;
    this.#clock = clock;
    this.#quota = new Quota(quotaBytes);
    this.#partials = new PartialUploads(clock);
    this.#verification = new Verification(backend, this.#locks, clock, onDamage);
  }

  /**
   * Stores a blob for its sender; it is verified, on disk and recorded when this resolves. A blob that this owner has already is
   * verified where it is ([ROT-5]); it is not `created`, and `source` is then left unread: the caller drains it. Of a blob that others have
   * all bytes are read and verified ([READ-1]).
   * @param declaredSize - size that the sender announced, in bytes; a quota that it exceeds refuses at once
   * @throws PlatformError HASH_MISMATCH, TOO_LARGE, QUOTA_EXCEEDED, STORE_FULL, STORE_FAILED, BAD_REQUEST (the upload broke off); then
   * nothing is left behind
   */
  async write(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    declaredSize?: number,
  ): Promise<BlobName & { created: boolean }> {
    if (declaredSize !== undefined && declaredSize > limits.blobBytes) throw blobTooLarge(sha256);
    try {
      const known = await this.#known(sha256, owner);
      if (known) return known;
      if ("customer" in owner) await this.#store.checkRoom(owner.customer, declaredSize ?? 0);
      return await this.#receive(sha256, source, owner, declaredSize);
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * Takes a stretch of an upload that may go on over another connection ({@link BlobStore.uploaded}); as {@link BlobStore.write} with the
   * last one. A stretch that breaks off is kept as far as it came.
   * @returns the bytes that are here; with the last stretch, or when the sender has the blob already, the blob
   * @throws UploadConflict when another byte is next; PlatformError NOT_FOUND when nothing is kept of the upload; those of `write`
   */
  async append(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    stretch: UploadStretch,
  ): Promise<{ offset: number } | (BlobName & { created: boolean })> {
    const { offset, size, isLast } = stretch;
    if (size > limits.blobBytes) throw blobTooLarge(sha256);
    try {
      if (offset === 0 || offset === size) {
        const known = await this.#known(sha256, owner);
        if (known) return known;
      }
      // Two uploads of one sender at the same time must not cut each other.
      if (offset === 0 && isLast && this.#partials.isMoving(sha256, owner))
        return await this.write(sha256, source, owner, size);
      const begun = offset === 0 ? this.#begin(sha256, owner, stretch) : this.#resume(sha256, owner, stretch);
      const partial = await begun;
      return await this.#partials.receiving(partial, source, () => this.#take(partial, source, isLast));
    } catch (error) {
      throw blobError(error);
    }
  }

  /** The part of the owner's upload that the server has; undefined when the server has no part, and the blob is not the owner's. */
  async uploaded(sha256: Sha256, owner: BlobOwner): Promise<UploadedPart | undefined> {
    const partial = await this.#partials.take(sha256, owner);
    if (partial) return { offset: partial.file.size, size: partial.size, isComplete: false };
    const known = await this.stat(sha256, owner);
    return known && { offset: known.size, size: known.size, isComplete: true };
  }

  /** The blob, when this owner has it already and it is sound. */
  async #known(sha256: Sha256, owner: BlobOwner): Promise<(BlobName & { created: false }) | undefined> {
    const known = await this.stat(sha256, owner);
    const isSound = known && (this.isVerified(sha256) || (await this.verify(sha256)) === "sound");
    return isSound ? { ...known, created: false } : undefined;
  }

  /**
   * Name and size of a blob; undefined when the blob is missing, or not the given owner's. The call counts as a use, which keeps the blob
   * from collection for `keepMs`.
   */
  async stat(sha256: Sha256, owner?: BlobOwner): Promise<BlobName | undefined> {
    try {
      if (owner && !(await this.#store.getBlob(sha256, owner))) return undefined;
      // Most look-ups need no lock: a blob touched a moment ago is not up for collection.
      if (this.#wasTouchedLately(sha256)) return await this.#verification.find(sha256);
      return await this.#locks.run(sha256, () => this.#reuse(sha256));
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * Streams a blob, or the bytes `[start, end)` of it. The stream fails with PlatformError NOT_FOUND when the blob is not
   * here; a range beyond its end is cut off, so check it against {@link BlobStore.stat} first.
   */
  open(sha256: Sha256, range?: ByteRange): Readable {
    return this.#backend.open(sha256, range);
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
    await this.#backend.send(sha256, range, sink, verdict && (async () => (await verdict) === "sound"));
  }

  /** The origin of the addresses of {@link BlobStore.signedUrl}; undefined when there are none. */
  get signedOrigin(): string | undefined {
    return this.#backend.signedOrigin;
  }

  /**
   * An address under which anybody reads the blob for ten minutes, without a look at the bytes; undefined when the blob is missing, is
   * not the given owner's, or has no such address. The call counts as a use, as with {@link BlobStore.stat}.
   */
  async signedUrl(sha256: Sha256, owner?: BlobOwner): Promise<string | undefined> {
    if (!this.#backend.signedUrl) return undefined;
    try {
      const known = this.#wasTouchedLately(sha256)
        ? await this.#store.getBlob(sha256, owner)
        : await this.stat(sha256, owner);
      return known && (await this.#backend.signedUrl(sha256));
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
    return this.#verification.damaged;
  }

  /** Reads which blobs were found damaged by earlier servers, for the start of a server. @throws PlatformError STORE_FAILED */
  readDamaged(): Promise<void> {
    return this.#verification.readDamaged();
  }

  /** Whether the blob needs no verification: it was verified, or received, within the last hour, or the medium verifies itself. */
  isVerified(sha256: Sha256): boolean {
    return this.#verification.isRecent(sha256);
  }

  /**
   * Reads a blob and compares its hash; a damaged blob is set aside and never served again.
   * @param bytesPerSecond - most bytes read a second
   * @throws PlatformError STORE_FAILED when the blob cannot be read for another reason than a bad disk
   */
  verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict> {
    return this.#verification.verify(sha256, bytesPerSecond);
  }

  /** Every blob that is there. */
  list(): AsyncIterable<BlobName> {
    return this.#backend.list();
  }

  async close(): Promise<void> {
    this.#verification.close();
    await this.#backend.close?.();
  }

  /** Keeps blobs from being collected, until the returned function is called. */
  keep(names: readonly Sha256[]): () => void {
    return this.#kept.add(names);
  }

  /** Keeps every blob where it is until the returned function is called; unused blobs are removed later. */
  holdRemovals(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (held) this.#holds--;
      held = false;
    };
  }

  /** The directory of the blobs; undefined when they are in a bucket. */
  get directory(): string | undefined {
    return this.#backend.directory;
  }

  /** Whether the medium itself finds bytes that changed. */
  get verifiesItself(): boolean {
    return this.#backend.verifiesItself;
  }

  /** Removes a blob without owners. @throws PlatformError STORE_FAILED, STORE_FULL */
  async removeUnowned(sha256: Sha256): Promise<void> {
    try {
      await this.#locks.run(sha256, async () => {
        const damaged = this.damaged.has(sha256) ? await this.#store.getBlob(sha256) : undefined;
        const found = (await this.#backend.find(sha256)) ?? damaged;
        if (found) await this.#remove(found, "unowned");
      });
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * Removes the blobs that no job refers to and that were not touched for `keepMs`, unless another server is at it. Every server calls
   * this regularly, also to tell the others that it lives and which blobs it keeps.
   * @throws PlatformError STORE_FAILED, STORE_FULL
   */
  async collect(): Promise<{ removed: number; bytes: number }> {
    try {
      await this.#partials.collect();
      if (this.#backend.isShared) await this.#tellOthers();
      const collected = await this.#collectAlone(async () => {
        await this.#backend.removeLeftovers?.();
        return this.#collectUnused();
      });
      return collected ?? { removed: 0, bytes: 0 };
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
    for await (const file of this.#backend.list()) {
      const recorded = await this.#store.getBlob(file.sha256);
      if (recorded && recorded.size !== file.size) {
        // A file of another size is damaged.
        await this.#locks.run(file.sha256, () => this.#verification.setAside(file.sha256));
        continue;
      }
      if (!recorded) {
        await this.#store.touchBlob(file);
        adopted++;
      }
      there.count++;
      there.bytes += file.size;
    }
    const recorded = await this.#store.blobUsage();
    return {
      adopted,
      missing: { count: recorded.count - there.count, bytes: recorded.bytes - there.bytes },
    };
  }

  async #tellOthers(): Promise<void> {
    await this.#backend.showLife?.();
    // The server that collects knows of this server's blobs only the time of their last use.
    for (const sha256 of this.#kept) if (!this.#wasTouchedLately(sha256)) await this.stat(sha256);
  }

  async #collectUnused(): Promise<{ removed: number; bytes: number }> {
    const before = this.#clock() - this.#keepMs;
    const sum = { removed: 0, bytes: 0 };
    if (this.#holds > 0) return sum;
    for (;;) {
      const candidates = await this.#store.unreferencedBlobs(before, collectAtOnce);
      for (const { sha256, size } of candidates)
        if (await this.#locks.run(sha256, () => this.#remove({ sha256, size }, before))) {
          sum.removed++;
          sum.bytes += size;
        }
      if (candidates.length < collectAtOnce) return sum;
    }
  }

  async #receive(
    sha256: Sha256,
    source: ByteSource,
    owner: BlobOwner,
    declaredSize: number | undefined,
  ): Promise<BlobName & { created: boolean }> {
    let reserved = 0;
    const reserve = async (bytes: number) => {
      await this.#reserve(bytes);
      reserved += bytes;
    };
    const file = this.#backend.incoming(sha256);
    try {
      if (declaredSize !== undefined) await reserve(declaredSize);
      const room = declaredSize === undefined ? reserve : undefined;
      await file.append(source, { declaredSize, isLast: true, room }).catch(async (error: unknown) => {
        await file.remove();
        throw error;
      });
      return await this.#finish(file, owner);
    } finally {
      this.#quota.release(reserved);
    }
  }

  #finish(file: IncomingFile, owner: BlobOwner): Promise<BlobName & { created: boolean }> {
    return this.#locks.run(file.sha256, () =>
      this.#publish(file.sha256, this.#backend.received(file), owner),
    );
  }

  async #take(
    partial: PartialUpload,
    source: ByteSource,
    isLast: boolean,
  ): Promise<{ offset: number } | (BlobName & { created: boolean })> {
    const { file, owner, size } = partial;
    try {
      await file.append(source, { declaredSize: size, isLast });
    } catch (error) {
      if (!(error instanceof EndedEarly)) await this.#partials.drop(partial);
      throw error;
    }
    if (!isLast) return { offset: file.size };
    try {
      return await this.#finish(file, owner);
    } finally {
      this.#partials.forget(partial);
      this.#quota.release(size);
    }
  }

  /** @throws PlatformError NOT_FOUND, CONFLICT */
  async #resume(sha256: Sha256, owner: BlobOwner, { offset, size }: UploadStretch): Promise<PartialUpload> {
    const partial = await this.#partials.take(sha256, owner);
    if (!partial)
      throw new PlatformError(
        "NOT_FOUND",
        `There is no partial upload of blob ${sha256}; expected the upload from its first byte.`,
      );
    if (partial.file.size !== offset || partial.size !== size)
      throw new UploadConflict(sha256, partial, offset, size);
    return partial;
  }

  async #begin(sha256: Sha256, owner: BlobOwner, { size, forgotten }: UploadStretch): Promise<PartialUpload> {
    if ("customer" in owner)
      await this.#store.checkRoom(owner.customer, size + this.#partials.bytesOf(owner));
    await this.#reserve(size);
    const release = (): void => {
      this.#quota.release(size);
      forgotten?.();
    };
    const partial = { owner, file: this.#backend.incoming(sha256), size, release };
    await this.#partials.add(partial);
    return partial;
  }

  /** A full quota first removes idle partial uploads and unused blobs. */
  async #reserve(bytes: number): Promise<void> {
    try {
      this.#quota.reserve(bytes, (await this.#store.blobUsage()).bytes);
    } catch (full) {
      if ((await this.#partials.collect(true)) + (await this.collect()).removed === 0) throw full;
      this.#quota.reserve(bytes, (await this.#store.blobUsage()).bytes);
    }
  }

  /** Under the blob's lock: touches and returns the blob; undefined when it is not here. */
  async #reuse(sha256: Sha256): Promise<BlobName | undefined> {
    const found = await this.#verification.find(sha256);
    if (found && !this.#wasTouchedLately(sha256)) await this.#touch(found);
    return found && (await this.#isStillHere(sha256)) ? found : undefined;
  }

  /**
   * Under the blob's lock, after a touch of a blob that was found. Another server that was removing the blob either sees the touch, and
   * puts the blob back, or has made the blob impossible to find before the touch.
   */
  async #isStillHere(sha256: Sha256): Promise<boolean> {
    if (!this.#backend.isShared || (await this.#backend.find(sha256))) return true;
    this.#touched.delete(sha256);
    await this.#store.forgetBlob(sha256, "unowned");
    return false;
  }

  /** Under the blob's lock. */
  async #publish(
    sha256: Sha256,
    received: ReceivedBlob,
    owner: BlobOwner,
  ): Promise<BlobName & { created: boolean }> {
    const name = { sha256, size: received.size };
    try {
      const isThere = (await this.#backend.find(sha256)) !== undefined;
      const had = isThere && (await this.#store.getBlob(sha256, owner)) !== undefined;
      if (isThere && this.#backend.verifiesItself) {
        await this.#touch(name, owner);
        if (await this.#isStillHere(sha256)) return { ...name, created: !had };
      }
      // The received bytes are verified, and those that are there may have changed since: the received ones replace them.
      await (this.#backend.isShared || isThere
        ? this.#recordAndPublish(name, received, owner, had)
        : this.#publishAndRecord(name, received, owner));
      this.#verification.noteSound(sha256);
      // A touched blob is looked up without the lock, so the touch is noted last.
      this.#noteTouched(sha256);
      await this.#verification.removeDamage(sha256);
      return { ...name, created: !had };
    } finally {
      await received.discard();
    }
  }

  /**
   * Puts name and record of a blob on disk side by side. Power that fails in between may leave a record without a
   * file: no customer was told of that blob, and its record is collected like that of an unused blob.
   */
  async #publishAndRecord(name: BlobName, received: ReceivedBlob, owner: BlobOwner): Promise<void> {
    await received.publish();
    const [synced, recorded] = await Promise.allSettled([
      received.sync(),
      this.#store.touchBlob(name, owner),
    ]);
    const failed = [synced, recorded].find((one) => one.status === "rejected");
    if (!failed) return;
    // The sender hears of the failure: no file may stay outside the quota, and no record without a file.
    await this.#backend.remove(name);
    if (recorded.status === "fulfilled") await this.#store.forgetBlob(name.sha256).catch(() => undefined);
    throw failed.reason;
  }

  /**
   * Puts the record first: another server that is removing the blob then puts the blob back.
   * @param had - whether the owner had the blob before
   */
  async #recordAndPublish(
    name: BlobName,
    received: ReceivedBlob,
    owner: BlobOwner,
    had: boolean,
  ): Promise<void> {
    await this.#store.touchBlob(name, owner);
    try {
      await received.publish();
      await received.sync();
    } catch (error) {
      // Another server may have stored the blob for other owners, so only this owner's part is undone.
      if (!had) await this.#store.disownBlob(name.sha256, owner).catch(() => undefined);
      await this.#store.forgetBlob(name.sha256, "unowned").catch(() => undefined);
      throw error;
    }
  }

  /** Under the blob's lock. The record goes first: the next start adopts a file without a record. */
  async #remove({ sha256, size }: BlobName, when: number | "unowned"): Promise<boolean> {
    if (this.#holds > 0) return false;
    if (this.#kept.has(sha256)) {
      // A touch keeps a blob in use out of the next list of candidates.
      await this.#touch({ sha256, size });
      return false;
    }
    if (!(await this.#store.forgetBlob(sha256, when))) return false;
    this.#touched.delete(sha256);
    this.#verification.forget(sha256);
    const isWanted = async (): Promise<boolean> => (await this.#store.getBlob(sha256)) !== undefined;
    await this.#backend.remove({ sha256, size }, this.#backend.isShared ? isWanted : undefined);
    await this.#verification.removeDamage(sha256);
    return true;
  }

  async #touch(name: BlobName, owner?: BlobOwner): Promise<void> {
    await this.#store.touchBlob(name, owner);
    this.#noteTouched(name.sha256);
  }

  #noteTouched(sha256: Sha256): void {
    this.#touched.set(sha256, this.#clock());
  }

  /** Whether the last touch is so recent that the record need not change: a collection is far off. */
  #wasTouchedLately(sha256: Sha256): boolean {
    const at = this.#touched.get(sha256);
    return at !== undefined && this.#clock() - at < this.#keepMs / 4;
  }
}
