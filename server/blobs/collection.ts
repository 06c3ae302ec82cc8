import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { blobError } from "./failure.ts";
import { KeptNames } from "./kept-names.ts";
import type { BlobParts } from "./parts.ts";
import type { BlobUses } from "./uses.ts";

/** Runs `work` while no other server runs work of this kind; without running it, undefined when another server does. */
export type OneServerAtATime = <T>(work: () => Promise<T>) => Promise<T | undefined>;

/** Candidates in one step of a collection. */
const collectAtOnce = 500;

/** Removal of blobs that nothing needs. */
export class Collection {
  readonly #parts: BlobParts;
  readonly #uses: BlobUses;
  readonly #alone: OneServerAtATime;
  /** Blobs that stay although no job may refer to them. */
  readonly #kept = new KeptNames();
  /** Callers of {@link Collection.hold}. */
  #holds = 0;

  /** @param alone - lock by which the servers of a store take turns */
  constructor(parts: BlobParts, uses: BlobUses, alone: OneServerAtATime) {
    this.#parts = parts;
    this.#uses = uses;
    this.#alone = alone;
  }

  /** Keeps blobs until the returned function is called. */
  keep(names: readonly Sha256[]): () => void {
    return this.#kept.add(names);
  }

  /** Removes nothing until the returned function is called. */
  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (held) this.#holds--;
      held = false;
    };
  }

  /** Removes a blob without owners. */
  async removeUnowned(sha256: Sha256): Promise<void> {
    const { backend, store, locks, verification } = this.#parts;
    try {
      await locks.run(sha256, async () => {
        const damaged = verification.damaged.has(sha256) ? await store.getBlob(sha256) : undefined;
        const found = (await backend.find(sha256)) ?? damaged;
        if (found) await this.#remove(found, "unowned");
      });
    } catch (error) {
      throw blobError(error);
    }
  }

  /** Removes the blobs that no job refers to and that were not touched for `keepMs`, unless another server is at it. */
  async run(): Promise<{ removed: number; bytes: number }> {
    const { backend } = this.#parts;
    if (backend.isShared) await this.#tellOthers();
    const collected = await this.#alone(async () => {
      await backend.removeLeftovers?.();
      return this.#removeUnused();
    });
    return collected ?? { removed: 0, bytes: 0 };
  }

  async #tellOthers(): Promise<void> {
    await this.#parts.backend.showLife?.();
    // The server that collects knows of this server's blobs only the time of their last use.
    for (const sha256 of this.#kept) if (!this.#uses.areRecent(sha256)) await this.#uses.find(sha256);
  }

  async #removeUnused(): Promise<{ removed: number; bytes: number }> {
    const { store, locks, clock, keepMs } = this.#parts;
    const before = clock() - keepMs;
    const sum = { removed: 0, bytes: 0 };
    if (this.#holds > 0) return sum;
    for (;;) {
      const candidates = await store.unreferencedBlobs(before, collectAtOnce);
      for (const { sha256, size } of candidates)
        if (await locks.run(sha256, () => this.#remove({ sha256, size }, before))) {
          sum.removed++;
          sum.bytes += size;
        }
      if (candidates.length < collectAtOnce) return sum;
    }
  }

  /** Under the blob's lock. The record goes first: the next start adopts a file without a record. */
  async #remove({ sha256, size }: BlobName, when: number | "unowned"): Promise<boolean> {
    const { backend, store, verification } = this.#parts;
    if (this.#holds > 0) return false;
    if (this.#kept.has(sha256)) {
      // A touch keeps a blob in use out of the next list of candidates.
      await this.#uses.touch({ sha256, size });
      return false;
    }
    if (!(await store.forgetBlob(sha256, when))) return false;
    this.#uses.forget(sha256);
    verification.forget(sha256);
    const isWanted = async (): Promise<boolean> => (await store.getBlob(sha256)) !== undefined;
    await backend.remove({ sha256, size }, backend.isShared ? isWanted : undefined);
    await verification.removeDamage(sha256);
    return true;
  }
}
