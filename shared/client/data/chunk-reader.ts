import type { BlobName } from "../../data-reference.ts";
import { PlatformError } from "../../errors.ts";
import { toHex } from "../../hex.ts";
import type { Sha256 } from "../../ids.ts";
import { limits } from "../../limits.ts";
import { ByteCache } from "./byte-cache.ts";
import type { BlobCache, ClientPorts } from "../ports.ts";

const { chunkBytes } = limits;
const digestBytes = 32;
/** Adjacent chunks come in one request up to this size, so a broken connection loses little. */
export const runBytes = 8 * 1024 * 1024;
/** Ranges of one read that are fetched side by side: browsers open no more connections to one server. */
const runsAtOnce = 6;
/** Digests in memory: enough for 64 GiB of blobs. */
const listBytes = 8 * 1024 * 1024;

type Range = readonly [start: number, end: number];

/** A piece of a blob, named by its own hash, so that any cache can hold it like a blob. */
export interface Chunk {
  readonly sha256: Sha256;
  readonly start: number;
  readonly end: number;
}
type Wanted = Chunk & {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
};

/** The source of chunks; each method retries by itself. */
interface ChunkSource {
  /** The digests of a blob's chunks, concatenated. */
  digests(name: BlobName): Promise<Uint8Array>;
  /** Bytes of a range; a range that fails `check` is fetched again. */
  fetch(name: BlobName, range: Range, check: (bytes: Uint8Array) => Promise<void>): Promise<Uint8Array>;
  hash(bytes: Uint8Array): Promise<Sha256>;
}

/**
 * Reads ranges of blobs that are too large to be fetched whole, in fixed, aligned chunks. A chunk is fetched once for all
 * ranges that overlap it, verified against the server's digest, and cached under that digest.
 */
export class ChunkReader {
  readonly #source: ChunkSource;
  readonly #cache: BlobCache;
  readonly #memory: ByteCache;
  readonly #log: ClientPorts["log"];
  readonly #lists = new ByteCache(listBytes);
  readonly #listsUnderWay = new Map<Sha256, Promise<Uint8Array>>();
  readonly #underWay = new Map<Sha256, Promise<Uint8Array>>();
  /** Chunks to look up in the cache, by their blob. */
  readonly #batches = new Map<Sha256, Wanted[]>();
  readonly #storing = new Set<Sha256>();

  constructor(source: ChunkSource, parts: { cache: BlobCache; memory: ByteCache; log: ClientPorts["log"] }) {
    this.#source = source;
    this.#cache = parts.cache;
    this.#memory = parts.memory;
    this.#log = parts.log;
  }

  /**
   * Whether the name is of a chunk on its way into the cache. The server need not hear of chunks, because it leases by whole
   * blobs.
   */
  isStoring(sha256: Sha256): boolean {
    return this.#storing.has(sha256);
  }

  /** The chunks that hold a range. @throws PlatformError */
  async chunksOf(name: BlobName, [start, end]: Range): Promise<readonly Chunk[]> {
    return chunksOf(name, await this.#digests(name), start, end);
  }

  /** Names of all chunks of a blob, when its digests are in memory. */
  knownChunks({ sha256, size }: BlobName): readonly Sha256[] {
    const list = this.#lists.get(sha256);
    return list ? chunksOf({ sha256, size }, list, 0, size).map((chunk) => chunk.sha256) : [];
  }

  /** Fetches adjacent chunks into the cache only: memory holds the chunks that tasks use now. @throws PlatformError */
  async fetchRun(
    name: BlobName,
    run: readonly Chunk[],
    to: { fetch: ChunkSource["fetch"]; put(sha256: Sha256, bytes: Uint8Array): Promise<void> },
  ): Promise<void> {
    const [start, end] = [run[0]?.start ?? 0, run.at(-1)?.end ?? 0];
    const partOf = (bytes: Uint8Array, chunk: Chunk) =>
      bytes.subarray(chunk.start - start, chunk.end - start);
    const bytes = await to.fetch(name, [start, end], async (came) => {
      for (const chunk of run) await this.#verify(name, chunk, partOf(came, chunk));
    });
    for (const chunk of run)
      await this.#whileStoring(chunk.sha256, () => to.put(chunk.sha256, partOf(bytes, chunk)));
  }

  /** The bytes of a range inside the blob; the caller owns them. @throws PlatformError */
  async read(name: BlobName, [start, end]: Range): Promise<Uint8Array> {
    if (start === end) return new Uint8Array();
    const chunks = chunksOf(name, await this.#digests(name), start, end);
    const parts = await Promise.all(this.#take(name, chunks));
    const bytes = new Uint8Array(end - start);
    chunks.forEach((chunk, i) => {
      const [from, to] = [Math.max(start, chunk.start), Math.min(end, chunk.end)];
      const part = parts[i]?.subarray(from - chunk.start, to - chunk.start);
      if (part) bytes.set(part, from - start);
    });
    return bytes;
  }

  #digests(name: BlobName): Promise<Uint8Array> {
    const kept = this.#lists.get(name.sha256);
    if (kept) return Promise.resolve(kept);
    let under = this.#listsUnderWay.get(name.sha256);
    if (!under) {
      under = this.#source
        .digests(name)
        .then((list) => {
          this.#lists.put(name.sha256, list);
          return list;
        })
        .finally(() => this.#listsUnderWay.delete(name.sha256));
      this.#listsUnderWay.set(name.sha256, under);
    }
    return under;
  }

  /** The chunks' bytes. Readers share them, so no reader may change them. */
  #take(name: BlobName, chunks: readonly Chunk[]): Promise<Uint8Array>[] {
    return chunks.map((chunk) => {
      const kept = this.#memory.get(chunk.sha256);
      if (kept) return Promise.resolve(kept);
      const under = this.#underWay.get(chunk.sha256);
      if (under) return under;
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      // The reader sees the rejection, unless its read has ended with the failure of another chunk.
      promise.catch(() => undefined);
      this.#underWay.set(chunk.sha256, promise);
      this.#want(name, { ...chunk, resolve, reject });
      return promise;
    });
  }

  /** Requests of one turn are looked up together, so that the twenty images of a kernel take few requests. */
  #want(name: BlobName, chunk: Wanted): void {
    const batch = this.#batches.get(name.sha256);
    if (batch) {
      batch.push(chunk);
      return;
    }
    const begun = [chunk];
    this.#batches.set(name.sha256, begun);
    queueMicrotask(() => void this.#load(name, begun));
  }

  async #load(name: BlobName, batch: readonly Wanted[]): Promise<void> {
    const first = [...batch];
    const absent = await this.#settleCached(first);
    // Chunks that were requested during the lookup join this batch; later requests begin the next batch.
    this.#batches.delete(name.sha256);
    absent.push(...(await this.#settleCached(batch.slice(first.length))));
    const runs = runsOf(absent.sort((a, b) => a.start - b.start));
    const work = async (): Promise<void> => {
      for (let run = runs.shift(); run; run = runs.shift()) await this.#fetchRun(name, run);
    };
    await Promise.all(Array.from({ length: Math.min(runsAtOnce, runs.length) }, work));
  }

  /** Settles the chunks that are in the cache. @returns the other chunks */
  async #settleCached(chunks: readonly Wanted[]): Promise<Wanted[]> {
    const cached = await Promise.all(chunks.map((chunk) => this.#cached(chunk)));
    return chunks.filter((chunk, i) => {
      const bytes = cached[i];
      if (bytes) this.#settle(chunk, bytes);
      return !bytes;
    });
  }

  /** Never rejects: each chunk of the run is settled or rejected. */
  async #fetchRun(name: BlobName, run: readonly Wanted[]): Promise<void> {
    const [start, end] = [run[0]?.start ?? 0, run.at(-1)?.end ?? 0];
    const partOf = (bytes: Uint8Array, chunk: Chunk) =>
      bytes.subarray(chunk.start - start, chunk.end - start);
    try {
      const bytes = await this.#source.fetch(name, [start, end], async (came) => {
        for (const chunk of run) await this.#verify(name, chunk, partOf(came, chunk));
      });
      // Each chunk gets a copy, because a view would keep the whole run in memory.
      const parts = run.map((chunk) => ({ chunk, bytes: partOf(bytes, chunk).slice() }));
      for (const part of parts) this.#settle(part.chunk, part.bytes);
      for (const part of parts) await this.#store(part.chunk, part.bytes);
    } catch (error) {
      // The digests themselves may be wrong, so the next read asks for them again.
      this.#lists.delete(name.sha256);
      for (const chunk of run) {
        this.#underWay.delete(chunk.sha256);
        chunk.reject(error);
      }
    }
  }

  async #verify({ sha256 }: BlobName, chunk: Chunk, bytes: Uint8Array): Promise<void> {
    if ((await this.#source.hash(bytes)) === chunk.sha256) return;
    throw new PlatformError(
      "HASH_MISMATCH",
      `Bytes ${chunk.start} to ${chunk.end} of blob ${sha256} came with another hash than the server told.`,
    );
  }

  #settle(chunk: Wanted, bytes: Uint8Array): void {
    this.#memory.put(chunk.sha256, bytes);
    this.#underWay.delete(chunk.sha256);
    chunk.resolve(bytes);
  }

  /** A cached chunk. A failing cache counts as a miss. */
  async #cached({ sha256, start, end }: Chunk): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#cache.get(sha256);
      return bytes?.length === end - start ? bytes : undefined;
    } catch (error) {
      this.#log("debug", "The blob cache failed.", { sha256, error });
      return undefined;
    }
  }

  async #store({ sha256 }: Chunk, bytes: Uint8Array): Promise<void> {
    try {
      await this.#whileStoring(sha256, () => this.#cache.put(sha256, bytes));
    } catch (error) {
      this.#log("debug", "A part of a blob could not be cached.", { sha256, error });
    }
  }

  async #whileStoring(sha256: Sha256, action: () => Promise<void>): Promise<void> {
    this.#storing.add(sha256);
    try {
      await action();
    } finally {
      this.#storing.delete(sha256);
    }
  }
}

/** Bytes of the digests of a blob's chunks. */
export function digestListBytes(size: number): number {
  return Math.ceil(size / chunkBytes) * digestBytes;
}

function chunksOf({ size }: BlobName, digests: Uint8Array, start: number, end: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = Math.floor(start / chunkBytes); at * chunkBytes < end; at++) {
    const sha256 = toHex(digests.subarray(at * digestBytes, (at + 1) * digestBytes)) as Sha256;
    chunks.push({ sha256, start: at * chunkBytes, end: Math.min(size, (at + 1) * chunkBytes) });
  }
  return chunks;
}

/** Groups adjacent chunks into runs of at most `runBytes`. */
export function runsOf<C extends Chunk>(chunks: readonly C[]): C[][] {
  const runs: C[][] = [];
  for (const chunk of chunks) {
    const run = runs.at(-1);
    const [first, last] = [run?.[0], run?.at(-1)];
    if (run && first && last?.end === chunk.start && chunk.end - first.start <= runBytes) run.push(chunk);
    else runs.push([chunk]);
  }
  return runs;
}
