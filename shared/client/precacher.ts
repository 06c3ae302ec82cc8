import type { BlobName } from "../data-reference.ts";
import { PlatformError } from "../errors.ts";
import type { Sha256 } from "../ids.ts";
import { limits } from "../limits.ts";
import { precacheBytes, type PrecacheItem } from "../precache.ts";
import type { BlobAccess } from "./blob-access.ts";
import { runBytes, runsOf, type Chunk } from "./chunk-reader.ts";
import type { AheadCache, ClientPorts } from "./ports.ts";

/** Of the quota, what wishes and the data of tasks here may take together: below what caches make room down to. */
const shareOfQuota = 0.8;
/** A whole blob is in memory while it is verified, and no task asked for that. */
const largestWholeBytes = 1024 ** 3;
/** Longest that one transfer gives way to those that tasks wait for: a client that is never quiet gets its data, too. */
const giveWayMs = 1_000;
/**
 * Small blobs that are fetched side by side. 1,000 of 16 KiB, server and node client on one busy machine, in two rounds: one at a
 * time 11.4 and 8.4 s, four 7.0 and 6.0, eight 6.3 and 6.4; over a network, where a round trip is most of it, the gain is larger.
 */
const smallAtOnce = 4;
/** A blob that comes with another hash is fetched again, up to so often in all. */
const maxFetches = 3;
/** What tasks here need is looked up this often at most: data that came since is the newest in the cache. */
const heldEveryMs = 1_000;

type Range = readonly [start: number, end: number];

/** How far a wish is. */
export interface WishProgress {
  readonly haveBytes: number;
  readonly missedBytes: number;
  readonly reason: string | undefined;
  readonly over: boolean;
}

interface Wish {
  readonly id: number;
  /** What is left to do for it, a transfer or a few small ones at a time. */
  readonly steps: AsyncGenerator<void, void, undefined>;
  /** What is here because of it. */
  readonly names: Set<Sha256>;
  haveBytes: number;
  missedBytes: number;
  reason: string | undefined;
  over: boolean;
}

/**
 * Puts data into the cache before tasks need it: few transfers at a time, behind those that tasks wait for, and never at the
 * cost of what tasks here need (SPEC.md [PRECACHE-2]). What does not fit is told, and nothing waits for it.
 */
export class Precacher {
  readonly #cache: AheadCache | undefined;
  readonly #blobs: BlobAccess;
  readonly #ports: Pick<ClientPorts, "blobs" | "clock">;
  readonly #held: () => Iterable<BlobName>;
  readonly #moved: (wish: number, far: WishProgress) => void;
  readonly #wishes = new Map<number, Wish>();
  /** Names that wishes brought or found here, with their size and how many wishes want them. */
  readonly #kept = new Map<Sha256, { readonly bytes: number; wishes: number }>();
  #keptBytes = 0;
  /** Of whole blobs that are being fetched. */
  #underWayBytes = 0;
  #needed = { names: new Set<Sha256>(), bytes: 0, at: -Infinity };
  #working = false;
  /** There while nothing is to be begun. */
  #gate: PromiseWithResolvers<void> | undefined;

  constructor(
    ports: Pick<ClientPorts, "blobs" | "cache" | "clock">,
    blobs: BlobAccess,
    parts: { held(): Iterable<BlobName>; moved(wish: number, far: WishProgress): void },
  ) {
    this.#cache = ports.cache.ahead;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#held = () => parts.held();
    this.#moved = (wish, far) => parts.moved(wish, far);
  }

  start(id: number, items: readonly PrecacheItem[]): void {
    const wish: Wish = {
      id,
      steps: this.#stepsOf(() => wish, items),
      names: new Set(),
      haveBytes: 0,
      missedBytes: 0,
      reason: undefined,
      over: false,
    };
    this.#wishes.set(id, wish);
    if (!this.#working) void this.#work();
  }

  /** What is under way for it is finished, and nothing else begun. */
  stop(id: number): void {
    const wish = this.#wishes.get(id);
    if (!wish) return;
    this.#wishes.delete(id);
    for (const name of wish.names) {
      const kept = this.#kept.get(name);
      if (!kept || --kept.wishes > 0) continue;
      this.#kept.delete(name);
      this.#keptBytes -= kept.bytes;
    }
    // Whoever waits for it to go on need not any more.
    const gate = this.#gate;
    if (gate) this.#gate = Promise.withResolvers<void>();
    gate?.resolve();
  }

  /** Begins nothing while held. */
  hold(onHold: boolean): void {
    if (onHold) this.#gate ??= Promise.withResolvers<void>();
    else {
      this.#gate?.resolve();
      this.#gate = undefined;
    }
  }

  async #work(): Promise<void> {
    this.#working = true;
    // In a turn of its own: the session is told of it from outside its own call.
    await Promise.resolve();
    for (let begun = this.#unfinished(); begun.length > 0; begun = this.#unfinished())
      // In turns, so that a small wish does not wait for another's large one.
      for (const wish of begun) await this.#step(wish);
    this.#working = false;
  }

  async #step(wish: Wish): Promise<void> {
    if (!this.#isWanted(wish)) return;
    wish.over = (await wish.steps.next()).done === true;
    this.#tell(wish);
  }

  #unfinished(): Wish[] {
    return [...this.#wishes.values()].filter(({ over }) => !over);
  }

  #isWanted(wish: Wish): boolean {
    return this.#wishes.get(wish.id) === wish;
  }

  async *#stepsOf(of: () => Wish, items: readonly PrecacheItem[]): AsyncGenerator<void, void, undefined> {
    const [wish, cache] = [of(), this.#cache];
    if (!cache) {
      for (const item of items) wish.haveBytes += precacheBytes(item);
      return;
    }
    const isSmall = ({ size, ranges }: PrecacheItem): boolean => !ranges && size <= limits.wholeBytes;
    const small = items.filter(isSmall);
    for (let at = 0; at < small.length; at += smallAtOnce) {
      const few = small.slice(at, at + smallAtOnce);
      await Promise.all(
        few.map((item) => this.#try(wish, item.size, () => this.#bringWhole(wish, cache, item))),
      );
      yield;
    }
    for (const item of items) {
      if (isSmall(item)) continue;
      if (!item.ranges) await this.#try(wish, item.size, () => this.#bringWhole(wish, cache, item));
      for (const piece of piecesOf(item)) {
        const bring = () => this.#bringPiece(wish, cache, item, piece);
        await this.#try(wish, piece[1] - piece[0], bring);
        yield;
      }
      yield;
    }
  }

  /** What goes wrong with one thing is told, and stops no other. */
  async #try(wish: Wish, bytes: number, bring: () => Promise<void>): Promise<void> {
    try {
      await bring();
    } catch (error) {
      this.#miss(wish, bytes, PlatformError.from(error).message);
    }
  }

  async #bringWhole(wish: Wish, cache: AheadCache, { sha256, size }: PrecacheItem): Promise<void> {
    const isHere = async () => (await cache.touch([sha256])).length > 0;
    if (await isHere()) return this.#have(wish, sha256, size);
    if (!this.#fits(cache, size)) return this.#missForRoom(wish, cache, size);
    if (size > largestWholeBytes)
      return this.#miss(
        wish,
        size,
        `A blob of ${size} bytes is too large to be cached ahead as a whole; name the ranges that tasks read.`,
      );
    this.#underWayBytes += size;
    try {
      await inTurn(cache, `${sha256}.ahead`, async () => {
        if (await isHere()) return;
        const bytes = await this.#fetchWhole(wish, { sha256, size });
        if (bytes) await cache.put(sha256, bytes, this.#keep());
      });
    } finally {
      this.#underWayBytes -= size;
    }
    if (!this.#isWanted(wish)) return;
    if (await isHere()) this.#have(wish, sha256, size);
    else this.#missForRoom(wish, cache, size);
  }

  /** Undefined when it is not wanted any more. */
  async #fetchWhole(wish: Wish, name: BlobName): Promise<Uint8Array | undefined> {
    for (let attempt = 1; ; attempt++) {
      const bytes = await this.#fetchInRuns(wish, name);
      if (!bytes || (await this.#ports.blobs.hash(bytes)) === name.sha256) return bytes;
      if (attempt === maxFetches)
        throw new PlatformError("HASH_MISMATCH", `Blob ${name.sha256} came with bytes of another hash.`);
    }
  }

  /** In runs, so that what tasks wait for gets its turn in between. Of a part only its length can be checked. */
  async #fetchInRuns(wish: Wish, name: BlobName): Promise<Uint8Array | undefined> {
    const all = new Uint8Array(name.size);
    for (let at = 0; at < name.size; at += runBytes) {
      await this.#clear(wish);
      if (!this.#isWanted(wish)) return undefined;
      const end = Math.min(name.size, at + runBytes);
      all.set(await this.#blobs.fetchAhead(name, [at, end], async () => undefined), at);
    }
    return all;
  }

  async #bringPiece(wish: Wish, cache: AheadCache, name: BlobName, piece: Range): Promise<void> {
    await this.#clear(wish);
    if (!this.#isWanted(wish)) return;
    const chunks = await this.#blobs.chunks.chunksOf(name, piece);
    const absent = async () => {
      const here = new Set(await cache.touch(chunks.map(({ sha256 }) => sha256)));
      return chunks.filter(({ sha256 }) => !here.has(sha256));
    };
    const missing = await absent();
    if (missing.length > 0 && this.#fits(cache, bytesOf(missing)))
      await inTurn(cache, `${name.sha256}-${piece[0]}.ahead`, async () => {
        const keep = this.#keep();
        for (const run of runsOf(await absent()))
          await this.#blobs.chunks.fetchAhead(name, run, {
            fetch: (...call) => this.#blobs.fetchAhead(...call),
            put: (sha256, bytes) => cache.put(sha256, bytes, keep),
          });
      });
    const left = new Set(missing.length > 0 ? await absent() : []);
    for (const chunk of chunks) if (!left.has(chunk)) this.#have(wish, chunk.sha256, chunk.end - chunk.start);
    if (left.size > 0) this.#missForRoom(wish, cache, bytesOf([...left]));
  }

  /** Waits for its turn: nothing that tasks wait for is on its way, and nobody holds it. */
  async #clear(wish: Wish): Promise<void> {
    await this.#blobs.whenQuiet(giveWayMs);
    while (this.#gate && this.#isWanted(wish)) await this.#gate.promise;
  }

  /** What the cache must not let go of for the sake of a wish. */
  #keep(): { has(name: Sha256): boolean } {
    const { names } = this.#neededNow();
    return { has: (name) => this.#kept.has(name) || names.has(name) };
  }

  #fits(cache: AheadCache, bytes: number): boolean {
    return (
      this.#keptBytes + this.#underWayBytes + this.#neededNow().bytes + bytes <=
      cache.quotaBytes * shareOfQuota
    );
  }

  #neededNow(): { readonly names: ReadonlySet<Sha256>; readonly bytes: number } {
    const now = this.#ports.clock.now();
    if (now - this.#needed.at < heldEveryMs) return this.#needed;
    const needed = { names: new Set<Sha256>(), bytes: 0, at: now };
    for (const blob of this.#held()) {
      if (needed.names.has(blob.sha256)) continue;
      needed.names.add(blob.sha256);
      if (blob.size > limits.wholeBytes)
        // Which parts a task reads is not known here: those that are cached stay.
        for (const chunk of this.#blobs.chunks.knownChunks(blob)) needed.names.add(chunk);
      else if (!this.#kept.has(blob.sha256)) needed.bytes += blob.size;
    }
    return (this.#needed = needed);
  }

  #have(wish: Wish, name: Sha256, bytes: number): void {
    if (!this.#isWanted(wish)) return;
    wish.haveBytes += bytes;
    if (wish.names.has(name)) return;
    wish.names.add(name);
    const kept = this.#kept.get(name);
    if (kept) kept.wishes++;
    else {
      this.#kept.set(name, { bytes, wishes: 1 });
      this.#keptBytes += bytes;
    }
  }

  #missForRoom(wish: Wish, { quotaBytes }: AheadCache, bytes: number): void {
    this.#miss(
      wish,
      bytes,
      `The cache has no room for it: it takes ${quotaBytes} bytes, of which data that tasks here need and what was asked for before stay.`,
    );
  }

  #miss(wish: Wish, bytes: number, reason: string): void {
    wish.missedBytes += bytes;
    wish.reason ??= reason.slice(0, limits.messageChars);
  }

  #tell(wish: Wish): void {
    if (!this.#isWanted(wish)) return;
    const { haveBytes, missedBytes, reason, over } = wish;
    this.#moved(wish.id, { haveBytes, missedBytes, reason, over });
  }
}

function inTurn<T>(cache: AheadCache, key: string, action: () => Promise<T>): Promise<T> {
  return cache.turn ? cache.turn(key, action) : action();
}

/** Cut at fixed places, so that clients of one cache take turns at the same pieces. */
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
