import type { BlobName } from "../../data-reference.ts";
import type { Sha256 } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Clock, PrecacheSpace } from "../ports.ts";

/** Share of the quota for precaches and the data of tasks together; caches evict down to a higher share. */
const shareOfQuota = 0.8;
/** Shortest time between two lookups of the tasks' data: data that came since is the newest in the cache. */
const heldEveryMs = 1_000;

interface Needed {
  readonly names: ReadonlySet<Sha256>;
  readonly bytes: number;
  readonly at: number;
}

/** The part of a cache that precaches may fill: data of tasks here and of other precaches stays (SPEC.md [PRECACHE-2]). */
export class PrecacheRoom {
  readonly #blobs: BlobAccess;
  readonly #clock: Clock;
  readonly #held: () => Iterable<BlobName>;
  /** Cached names of precaches, with their size and the number of precaches that ask for them. */
  readonly #kept = new Map<Sha256, { readonly bytes: number; precaches: number }>();
  #keptBytes = 0;
  /** Bytes of whole blobs that are being fetched. */
  #underWayBytes = 0;
  #needed: Needed = { names: new Set(), bytes: 0, at: -Infinity };

  /** @param held - the blobs that running and queued tasks refer to */
  constructor(blobs: BlobAccess, clock: Clock, held: () => Iterable<BlobName>) {
    this.#blobs = blobs;
    this.#clock = clock;
    this.#held = held;
  }

  fits({ quotaBytes }: PrecacheSpace, bytes: number): boolean {
    const taken = this.#keptBytes + this.#underWayBytes + this.#neededNow().bytes;
    return taken + bytes <= quotaBytes * shareOfQuota;
  }

  /** Counts `bytes` as taken while `action` runs. */
  async reserve(bytes: number, action: () => Promise<void>): Promise<void> {
    this.#underWayBytes += bytes;
    try {
      await action();
    } finally {
      this.#underWayBytes -= bytes;
    }
  }

  /** Names that must stay in the cache when a precache needs room. */
  protected(): { has(name: Sha256): boolean } {
    const { names } = this.#neededNow();
    return { has: (name) => this.#kept.has(name) || names.has(name) };
  }

  /** Counts another precache that asks for a cached name. */
  keep(name: Sha256, bytes: number): void {
    const kept = this.#kept.get(name);
    if (kept) kept.precaches++;
    else {
      this.#kept.set(name, { bytes, precaches: 1 });
      this.#keptBytes += bytes;
    }
  }

  /** Counts one precache less for each of these names. */
  release(names: Iterable<Sha256>): void {
    for (const name of names) {
      const kept = this.#kept.get(name);
      if (!kept || --kept.precaches > 0) continue;
      this.#kept.delete(name);
      this.#keptBytes -= kept.bytes;
    }
  }

  #neededNow(): Needed {
    const now = this.#clock.now();
    if (now - this.#needed.at < heldEveryMs) return this.#needed;
    const names = new Set<Sha256>();
    let bytes = 0;
    for (const blob of this.#held()) {
      if (names.has(blob.sha256)) continue;
      names.add(blob.sha256);
      if (blob.size > limits.wholeBytes)
        // The ranges that a task will read are unknown here, so every cached chunk stays.
        for (const chunk of this.#blobs.knownChunks(blob)) names.add(chunk);
      else if (!this.#kept.has(blob.sha256)) bytes += blob.size;
    }
    return (this.#needed = { names, bytes, at: now });
  }
}
