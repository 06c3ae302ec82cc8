import type { BlobName } from "../../data-reference.ts";
import type { Sha256 } from "../../ids.ts";
import { limits } from "../../limits.ts";
import { precacheBytes, type PrecacheItem } from "../../wire/precache.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { ClientPorts, QueuedBlob } from "../ports.ts";
import { fetchItems, type FetchTarget } from "./precache-fetch.ts";
import { rangesIn } from "./queued-ranges.ts";
import { PrecacheRoom } from "./precache-room.ts";

/** Progress of a precache on this client. */
export interface PrecacheReach {
  readonly haveBytes: number;
  readonly missedBytes: number;
  readonly reason: string | undefined;
  readonly over: boolean;
}

interface Precache {
  readonly id: number;
  /** The remaining transfers: a large one or a few small ones in each step. */
  readonly steps: AsyncIterator<void, void, undefined>;
  /** Cached names that the precache asked for. */
  readonly names: Set<Sha256>;
  haveBytes: number;
  missedBytes: number;
  reason: string | undefined;
  over: boolean;
}

/**
 * Puts data into the cache before tasks need it: few transfers at a time, after those that tasks wait for, and without removing
 * data of tasks here (SPEC.md [PRECACHE-2]). Data that does not fit is reported at once.
 */
export class Precacher {
  readonly #ports: Pick<ClientPorts, "blobs" | "cache">;
  readonly #blobs: BlobAccess;
  readonly #room: PrecacheRoom;
  readonly #moved: (id: number, reach: PrecacheReach) => void;
  readonly #precaches = new Map<number, Precache>();
  #working = false;
  /** Present while the precacher is held. */
  #gate: PromiseWithResolvers<void> | undefined;

  constructor(
    ports: Pick<ClientPorts, "blobs" | "cache" | "clock">,
    blobs: BlobAccess,
    parts: { held(): Iterable<BlobName>; moved(id: number, reach: PrecacheReach): void },
  ) {
    this.#ports = ports;
    this.#blobs = blobs;
    this.#room = new PrecacheRoom(blobs, ports.clock, () => parts.held());
    this.#moved = (id, reach) => parts.moved(id, reach);
  }

  /** The ranges of large blobs that an input names. */
  rangesIn(input: Uint8Array): QueuedBlob[] {
    return rangesIn(input);
  }

  start(id: number, items: readonly PrecacheItem[]): void {
    const precache: Precache = {
      id,
      steps: this.#stepsOf(() => precache, items),
      names: new Set(),
      haveBytes: 0,
      missedBytes: 0,
      reason: undefined,
      over: false,
    };
    this.#precaches.set(id, precache);
    if (!this.#working) void this.#work();
  }

  /** Ends a precache: its current transfers finish, and no other begins. */
  stop(id: number): void {
    const precache = this.#precaches.get(id);
    if (!precache) return;
    this.#precaches.delete(id);
    this.#room.release(precache.names);
    // Opening the gate lets a waiting transfer of this precache see that it has ended.
    const gate = this.#gate;
    if (gate) this.#gate = Promise.withResolvers<void>();
    gate?.resolve();
  }

  /** While held, the precacher begins no transfer. */
  hold(onHold: boolean): void {
    if (onHold) this.#gate ??= Promise.withResolvers<void>();
    else {
      this.#gate?.resolve();
      this.#gate = undefined;
    }
  }

  async #work(): Promise<void> {
    this.#working = true;
    // The session must not get an event inside the call that began the precache.
    await Promise.resolve();
    for (let begun = this.#unfinished(); begun.length > 0; begun = this.#unfinished())
      // Precaches take turns, so that a small one does not wait for another's large transfer.
      for (const precache of begun) await this.#step(precache);
    this.#working = false;
  }

  async #step(precache: Precache): Promise<void> {
    if (!this.#isWanted(precache)) return;
    precache.over = (await precache.steps.next()).done === true;
    if (!this.#isWanted(precache)) return;
    const { id, haveBytes, missedBytes, reason, over } = precache;
    this.#moved(id, { haveBytes, missedBytes, reason, over });
  }

  #unfinished(): Precache[] {
    return [...this.#precaches.values()].filter(({ over }) => !over);
  }

  #isWanted(precache: Precache): boolean {
    return this.#precaches.get(precache.id) === precache;
  }

  async *#stepsOf(of: () => Precache, items: readonly PrecacheItem[]): AsyncGenerator<void, void, undefined> {
    const precache = of();
    const space = this.#ports.cache.precache;
    if (!space) {
      for (const item of items) precache.haveBytes += precacheBytes(item);
      return;
    }

    const parts = {
      space,
      room: this.#room,
      blobs: this.#blobs,
      hash: (bytes: Uint8Array) => this.#ports.blobs.hash(bytes),
    };
    yield* fetchItems(parts, this.#targetOf(precache), items);
  }

  #targetOf(precache: Precache): FetchTarget {
    return {
      isWanted: () => this.#isWanted(precache),
      allowed: async () => {
        while (this.#gate && this.#isWanted(precache)) await this.#gate.promise;
      },
      have: (name, bytes) => {
        if (!this.#isWanted(precache)) return;
        precache.haveBytes += bytes;
        if (precache.names.has(name)) return;
        precache.names.add(name);
        this.#room.keep(name, bytes);
      },
      miss: (bytes, reason) => {
        precache.missedBytes += bytes;
        precache.reason ??= reason.slice(0, limits.messageChars);
      },
    };
  }
}
