import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { BlobOwner } from "../store/store.ts";
import type { Collection } from "./collection.ts";
import { EndedEarly, type ByteSource } from "./each-chunk.ts";
import { blobError } from "./failure.ts";
import { blobTooLarge } from "./incoming-file.ts";
import { PartialUploads, type PartialUpload } from "./partial-uploads.ts";
import type { BlobParts } from "./parts.ts";
import { Publishing } from "./publishing.ts";
import { Quota } from "./quota.ts";
import type { BlobUses } from "./uses.ts";

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

/** Uploads of blobs, whole or in stretches, within the quota of all blobs. */
export class Uploads {
  readonly #parts: BlobParts;
  readonly #uses: BlobUses;
  readonly #publishing: Publishing;
  readonly #partials: PartialUploads;
  readonly #quota: Quota;
  /** Makes room for uploads. */
  readonly #collection: Collection;

  constructor(parts: BlobParts, uses: BlobUses, collection: Collection, quotaBytes: number) {
    this.#parts = parts;
    this.#uses = uses;
    this.#publishing = new Publishing(parts, uses);
    this.#partials = new PartialUploads(parts.clock);
    this.#quota = new Quota(quotaBytes);
    this.#collection = collection;
  }

  /** Takes a whole upload. */
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
      if ("customer" in owner) await this.#parts.store.checkRoom(owner.customer, declaredSize ?? 0);
      return await this.#receive(sha256, source, owner, declaredSize);
    } catch (error) {
      throw blobError(error);
    }
  }

  /** Takes a stretch of an upload that may go on over another connection. */
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

  /** The part of the owner's upload that the server has. */
  async uploaded(sha256: Sha256, owner: BlobOwner): Promise<UploadedPart | undefined> {
    const partial = await this.#partials.take(sha256, owner);
    if (partial) return { offset: partial.file.size, size: partial.size, isComplete: false };
    const known = await this.#uses.find(sha256, owner);
    return known && { offset: known.size, size: known.size, isComplete: true };
  }

  /** Removes partial uploads that have been idle for long. */
  async removeIdle(): Promise<void> {
    await this.#partials.collect();
  }

  /** The blob, when this owner has it already and it is sound. */
  async #known(sha256: Sha256, owner: BlobOwner): Promise<(BlobName & { created: false }) | undefined> {
    const { verification } = this.#parts;
    const known = await this.#uses.find(sha256, owner);
    const isSound =
      known && (verification.isRecent(sha256) || (await verification.verify(sha256)) === "sound");
    return isSound ? { ...known, created: false } : undefined;
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
    const file = this.#parts.backend.incoming(sha256);
    try {
      if (declaredSize !== undefined) await reserve(declaredSize);
      const room = declaredSize === undefined ? reserve : undefined;
      await file.append(source, { declaredSize, isLast: true, room }).catch(async (error: unknown) => {
        await file.remove();
        throw error;
      });
      return await this.#publishing.publish(file, owner);
    } finally {
      this.#quota.release(reserved);
    }
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
      return await this.#publishing.publish(file, owner);
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
    const { backend, store } = this.#parts;
    if ("customer" in owner) await store.checkRoom(owner.customer, size + this.#partials.bytesOf(owner));
    await this.#reserve(size);
    const release = (): void => {
      this.#quota.release(size);
      forgotten?.();
    };
    const partial = { owner, file: backend.incoming(sha256), size, release };
    await this.#partials.add(partial);
    return partial;
  }

  /** A full quota first removes idle partial uploads and unused blobs. */
  async #reserve(bytes: number): Promise<void> {
    const { store } = this.#parts;
    try {
      this.#quota.reserve(bytes, (await store.blobUsage()).bytes);
    } catch (full) {
      if ((await this.#partials.collect(true)) + (await this.#collection.run()).removed === 0) throw full;
      this.#quota.reserve(bytes, (await store.blobUsage()).bytes);
    }
  }
}
