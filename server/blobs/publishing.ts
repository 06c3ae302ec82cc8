import type { BlobName } from "../../shared/data-reference.ts";
import type { BlobOwner } from "../store/store.ts";
import type { ReceivedBlob } from "./backend.ts";
import type { IncomingFile } from "./incoming-file.ts";
import type { BlobParts } from "./parts.ts";
import type { BlobUses } from "./uses.ts";

/** Publishing of uploads that were received whole and verified: each becomes a blob with a record. */
export class Publishing {
  readonly #parts: BlobParts;
  readonly #uses: BlobUses;

  constructor(parts: BlobParts, uses: BlobUses) {
    this.#parts = parts;
    this.#uses = uses;
  }

  /** Makes the upload the blob, and its sender an owner; it is on disk and recorded when this resolves. */
  publish(file: IncomingFile, owner: BlobOwner): Promise<BlobName & { created: boolean }> {
    return this.#parts.locks.run(file.sha256, () => this.#publish(file, owner));
  }

  /** Under the blob's lock. */
  async #publish(file: IncomingFile, owner: BlobOwner): Promise<BlobName & { created: boolean }> {
    const { backend, store, verification } = this.#parts;
    const { sha256 } = file;
    const received = backend.received(file);
    const name = { sha256, size: received.size };
    try {
      const isThere = (await backend.find(sha256)) !== undefined;
      const had = isThere && (await store.getBlob(sha256, owner)) !== undefined;
      if (isThere && backend.verifiesItself) {
        await this.#uses.touch(name, owner);
        if (await this.#uses.isStillHere(sha256)) return { ...name, created: !had };
      }
      // The received bytes are verified, and those that are there may have changed since: the received ones replace them.
      await (backend.isShared || isThere
        ? this.#recordAndPublish(name, received, owner, had)
        : this.#publishAndRecord(name, received, owner));
      verification.noteSound(sha256);
      // A touched blob is looked up without the lock, so the touch is noted last.
      this.#uses.note(sha256);
      await verification.removeDamage(sha256);
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
    const { backend, store } = this.#parts;
    await received.publish();
    const [synced, recorded] = await Promise.allSettled([received.sync(), store.touchBlob(name, owner)]);
    const failed = [synced, recorded].find((one) => one.status === "rejected");
    if (!failed) return;
    // The sender hears of the failure: no file may stay outside the quota, and no record without a file.
    await backend.remove(name);
    if (recorded.status === "fulfilled") await store.forgetBlob(name.sha256).catch(() => undefined);
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
    const { store } = this.#parts;
    await store.touchBlob(name, owner);
    try {
      await received.publish();
      await received.sync();
    } catch (error) {
      // Another server may have stored the blob for other owners, so only this owner's part is undone.
      if (!had) await store.disownBlob(name.sha256, owner).catch(() => undefined);
      await store.forgetBlob(name.sha256, "unowned").catch(() => undefined);
      throw error;
    }
  }
}
