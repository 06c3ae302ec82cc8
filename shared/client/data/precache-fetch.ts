import type { BlobName } from "../../data-reference.ts";
import { PlatformError } from "../../errors.ts";
import type { Sha256 } from "../../ids.ts";
import { limits } from "../../limits.ts";
import type { PrecacheItem } from "../../wire/precache.ts";
import type { BlobAccess } from "./blob-access.ts";
import { runBytes, runsOf, type Chunk } from "./chunk-reader.ts";
import type { BlobTransfer, PrecacheSpace } from "../ports.ts";
import type { PrecacheRoom } from "./precache-room.ts";

/** Largest blob that is precached whole: it is in memory while it is verified. */
const largestWholeBytes = 1024 ** 3;
/** Longest time that a transfer gives way to those that tasks wait for: a busy client gets its precaches, too. */
const giveWayMs = 1_000;
/** Small blobs that are fetched side by side: 1,000 of 16 KiB take 7.0 s. */
const smallAtOnce = 4;
/** Most fetches of a blob that comes with another hash. */
const maxFetches = 3;

type Range = readonly [start: number, end: number];

/** The precache of a fetch. */
export interface FetchTarget {
  readonly isWanted: () => boolean;
  /** Resolves when the client may fetch for a precache again, or when the precache ended. */
  readonly allowed: () => Promise<void>;
  readonly have: (name: Sha256, bytes: number) => void;
  readonly miss: (bytes: number, reason: string) => void;
}

interface FetchParts {
  readonly space: PrecacheSpace;
  readonly room: PrecacheRoom;
  readonly blobs: BlobAccess;
  readonly hash: BlobTransfer["hash"];
}

/** Fetches the items of one precache into the cache: a large transfer, or a few small ones, in each step. */
export async function* fetchItems(
  parts: FetchParts,
  target: FetchTarget,
  items: readonly PrecacheItem[],
): AsyncGenerator<void, void, undefined> {
  const fetch = new PrecacheFetch(parts, target);
  const isSmall = ({ size, ranges }: PrecacheItem): boolean => !ranges && size <= limits.wholeBytes;
  const small = items.filter(isSmall);
  for (let at = 0; at < small.length; at += smallAtOnce) {
    await Promise.all(small.slice(at, at + smallAtOnce).map((item) => fetch.whole(item)));
    yield;
  }
  for (const item of items) {
    if (isSmall(item)) continue;
    if (!item.ranges) await fetch.whole(item);
    for (const piece of piecesOf(item)) {
      await fetch.piece(item, piece);
      yield;
    }
    yield;
  }
}

class PrecacheFetch {
  readonly #parts: FetchParts;
  readonly #target: FetchTarget;

  constructor(parts: FetchParts, target: FetchTarget) {
    this.#parts = parts;
    this.#target = target;
  }

  whole(item: PrecacheItem): Promise<void> {
    return this.#try(item.size, () => this.#whole(item));
  }

  piece(name: BlobName, piece: Range): Promise<void> {
    return this.#try(piece[1] - piece[0], () => this.#piece(name, piece));
  }

  /** Reports the failure of one transfer, so that the other transfers go on. */
  async #try(bytes: number, bring: () => Promise<void>): Promise<void> {
    try {
      await bring();
    } catch (error) {
      this.#target.miss(bytes, PlatformError.from(error).message);
    }
  }

  async #whole({ sha256, size }: PrecacheItem): Promise<void> {
    const { space, room } = this.#parts;
    const isHere = async () => (await space.touch([sha256])).length > 0;
    if (await isHere()) return this.#target.have(sha256, size);
    if (!room.fits(space, size)) return this.#missForRoom(size);
    if (size > largestWholeBytes)
      return this.#target.miss(
        size,
        `A blob of ${size} bytes is too large to be precached as a whole; name the ranges that tasks read.`,
      );
    await room.reserve(size, () =>
      inTurn(space, `${sha256}.precache`, async () => {
        if (await isHere()) return;
        const bytes = await this.#fetchWhole({ sha256, size });
        if (bytes) await space.put(sha256, bytes, room.protected());
      }),
    );
    if (!this.#target.isWanted()) return;
    if (await isHere()) this.#target.have(sha256, size);
    else this.#missForRoom(size);
  }

  /** @returns undefined when the precache ended meanwhile */
  async #fetchWhole(name: BlobName): Promise<Uint8Array | undefined> {
    for (let attempt = 1; ; attempt++) {
      const bytes = await this.#fetchInRuns(name);
      if (!bytes || (await this.#parts.hash(bytes)) === name.sha256) return bytes;
      if (attempt === maxFetches)
        throw new PlatformError("HASH_MISMATCH", `Blob ${name.sha256} came with bytes of another hash.`);
    }
  }

  /** Fetches a blob in runs, with a pause for tasks' own transfers before each. Of a single run only the length can be checked. */
  async #fetchInRuns(name: BlobName): Promise<Uint8Array | undefined> {
    const all = new Uint8Array(name.size);
    for (let at = 0; at < name.size; at += runBytes) {
      await this.#ownTurn();
      if (!this.#target.isWanted()) return undefined;
      const end = Math.min(name.size, at + runBytes);
      all.set(await this.#parts.blobs.fetchPrecached(name, [at, end], async () => undefined), at);
    }
    return all;
  }

  async #piece(name: BlobName, piece: Range): Promise<void> {
    const { space, room, blobs } = this.#parts;
    await this.#ownTurn();
    if (!this.#target.isWanted()) return;
    const reader = await blobs.chunks();
    const chunks = await reader.chunksOf(name, piece);
    const absent = async () => {
      const here = new Set(await space.touch(chunks.map(({ sha256 }) => sha256)));
      return chunks.filter(({ sha256 }) => !here.has(sha256));
    };
    const missing = await absent();
    if (missing.length > 0 && room.fits(space, bytesOf(missing)))
      await inTurn(space, `${name.sha256}-${piece[0]}.precache`, async () => {
        const keep = room.protected();
        for (const run of runsOf(await absent()))
          await reader.fetchRun(name, run, {
            fetch: (...call) => blobs.fetchPrecached(...call),
            put: (sha256, bytes) => space.put(sha256, bytes, keep),
          });
      });
    const left = new Set(missing.length > 0 ? await absent() : []);
    for (const chunk of chunks)
      if (!left.has(chunk)) this.#target.have(chunk.sha256, chunk.end - chunk.start);
    if (left.size > 0) this.#missForRoom(bytesOf([...left]));
  }

  /** Resolves when no task waits for a transfer, and precaching is not held. */
  async #ownTurn(): Promise<void> {
    await this.#parts.blobs.whenQuiet(giveWayMs);
    await this.#target.allowed();
  }

  #missForRoom(bytes: number): void {
    const { quotaBytes } = this.#parts.space;
    this.#target.miss(
      bytes,
      `The cache has no room for it: it takes ${quotaBytes} bytes, of which data that tasks here need and what was asked for before stay.`,
    );
  }
}

function inTurn<T>(space: PrecacheSpace, key: string, action: () => Promise<T>): Promise<T> {
  return space.turn ? space.turn(key, action) : action();
}

/** Cuts ranges at fixed places, so that clients of one cache take turns at the same pieces. */
function* piecesOf({ ranges = [] }: PrecacheItem): Generator<Range, void, undefined> {
  for (const [from, end] of ranges)
    for (let start = from, next; start < end; start = next) {
      next = (Math.floor(start / runBytes) + 1) * runBytes;
      yield [start, Math.min(end, next)];
    }
}

function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { start, end }) => sum + end - start, 0);
}
