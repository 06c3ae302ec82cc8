import type { BlobName } from "../../data-reference.ts";
import { PlatformError } from "../../errors.ts";
import type { Sha256 } from "../../ids.ts";
import { limits } from "../../limits.ts";
import { backoffMs } from "../../backoff.ts";
import { ByteCache } from "./byte-cache.ts";
import { createGate } from "./gate.ts";
import { loaded } from "./loaded.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import type { ClientPorts, QueuedBlob } from "../ports.ts";

const { wholeBytes } = limits;
/** Size of the cache in memory before the shell's cache: slots read the same blobs, and ranges the same stack. */
const memoryBytes = 64 * 1024 * 1024;
/**
 * Transfers in each direction: of a link of 150 ms one uses 72 %, two 84 %, three 92 %, four 93 %; a browser opens six connections to one
 * server.
 */
const transfersAtOnce = 3;
const queuedFetchesWaiting = 4096;
/** Failed tries while connected, about a minute of them; tries without a connection do not count. */
const maxTries = 11;

type Range = readonly [number, number];

/** Blobs for kernels, from memory, the cache or the server; concurrent reads of a blob share one fetch. */
export class BlobAccess {
  readonly #ports: Pick<ClientPorts, "blobs" | "cache" | "clock" | "random" | "log">;
  readonly #fetched: ((sha256: Sha256, ms: number) => void) | undefined;
  readonly #memory = new ByteCache(memoryBytes);
  /** Loaded with the first range of a large blob: most clients never read one. */
  #chunks: ChunkReader | undefined;
  /** Fetches under way. Readers share the bytes, so no reader may change or transfer them. */
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  readonly #waiters = new Set<() => void>();
  readonly #downloads = createGate(transfersAtOnce);
  readonly #uploads = createGate(transfersAtOnce);
  /** The newest upload of each blob under way. */
  readonly #sending = new Map<Sha256, Promise<BlobName>>();
  /** Number of transfers that tasks wait for, or will soon; `#quiet` has the callers that wait for 0. */
  #busy = 0;
  readonly #quiet = new Set<() => void>();
  #fetching = 0;
  #toFetch: { readonly blob: QueuedBlob; readonly isWanted: () => boolean }[] = [];
  #ticket: string | undefined;
  #connected = false;
  #closed = false;

  /** @param fetched - called with the time of each transfer for a task */
  constructor(
    ports: Pick<ClientPorts, "blobs" | "cache" | "clock" | "random" | "log">,
    fetched?: (sha256: Sha256, ms: number) => void,
  ) {
    this.#ports = ports;
    this.#fetched = fetched;
  }

  /** Takes the credential of the newest welcome, which also means that the server can be reached. */
  useTicket(ticket: string): void {
    this.#closed = false;
    this.#ticket = ticket;
    this.#connected = true;
    this.#wakeAll();
  }

  disconnected(): void {
    this.#connected = false;
  }

  /** Fails pending transfers. A new ticket opens the access again. */
  close(): void {
    this.#closed = true;
    this.#connected = false;
    this.#toFetch = [];
    this.#wakeAll();
  }

  /**
   * The bytes of a blob, or of `range` of it. Other readers share them, so the caller may not change or transfer them.
   * @throws PlatformError RANGE_NOT_SATISFIABLE, NOT_FOUND, HASH_MISMATCH, UNREACHABLE, …
   */
  async read(name: BlobName, range?: Range): Promise<Uint8Array> {
    const [start, end] = range ?? [0, name.size];
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= name.size))
      throw new PlatformError(
        "RANGE_NOT_SATISFIABLE",
        `Bytes ${start} to ${end} of a blob of ${name.size} bytes; expected a range inside it.`,
      );
    const all = end - start === name.size;
    if (all || name.size <= wholeBytes) {
      const bytes = await this.#whole(name);
      // The kernel that reads a part will read others.
      if (!all) this.#memory.put(name.sha256, bytes);
      return bytes.subarray(start, end);
    }
    const cached = this.#memory.get(name.sha256) ?? (await this.#cached(name));
    if (cached) return cached.subarray(start, end);
    return (await this.chunks()).read(name, [start, end]);
  }

  /** Filters newly cached names: drops chunks, because the server prefers clients that have the whole blobs of a task. */
  wholeBlobs(names: readonly Sha256[]): Sha256[] {
    return names.filter((name) => !this.#chunks?.isStoring(name));
  }

  /** Names of all chunks of a blob, when its digests are in memory. */
  knownChunks(name: BlobName): readonly Sha256[] {
    return this.#chunks?.knownChunks(name) ?? [];
  }

  /** The chunks of large blobs. @throws PlatformError UNREACHABLE when a page cannot load the code */
  async chunks(): Promise<ChunkReader> {
    const { ChunkReader } = await this.#retry(() => loaded(import("./chunk-reader.ts")));
    const { blobs, cache, log } = this.#ports;
    return (this.#chunks ??= new ChunkReader(
      {
        digests: (name) => this.#retry((ticket) => blobs.chunks(name, ticket)),
        fetch: (name, range, check) => this.#fetch(name, range, check),
        hash: (bytes) => blobs.hash(bytes),
      },
      { cache, memory: this.#memory, log },
    ));
  }

  /** Fetches bytes for a precache, with the retries of `read`. @throws PlatformError */
  fetchPrecached(
    name: BlobName,
    range: Range,
    check: (bytes: Uint8Array) => Promise<void>,
  ): Promise<Uint8Array> {
    return this.#transfer(name, range, check);
  }

  /** Resolves when no task waits for a transfer, or after `ms`: a precache gives way to tasks, but not for ever. */
  whenQuiet(ms: number): Promise<void> {
    if (this.#busy === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#quiet.delete(wake);
        cancel();
        resolve();
      };
      const cancel = this.#ports.clock.setTimer(ms, wake);
      this.#quiet.add(wake);
    });
  }

  /** Takes bytes that came for a blob. They are kept if they are its own; else the blob is fetched. */
  take(name: BlobName, bytes: Uint8Array): void {
    this.#whole(name, bytes.slice()).catch(() => undefined);
  }

  /**
   * Fetches data of queued tasks into the cache: blobs that are small enough to be fetched whole, and ranges up to that size.
   * @param isWanted - called in the turn of each: what no task here needs any more is not fetched, and would be refused
   */
  fetchQueued(blobs: readonly QueuedBlob[], isWanted: () => boolean): void {
    for (const blob of blobs) {
      const { sha256, size, range } = blob;
      const isKnown = this.#isNear(blob) || this.#memory.has(sha256) || this.#underWay.has(sha256);
      const isFit = size <= wholeBytes || (range && range[1] - range[0] <= wholeBytes);
      if (isFit && !isKnown && this.#toFetch.length < queuedFetchesWaiting)
        this.#toFetch.push({ blob, isWanted });
    }
    this.#fetchNext();
  }

  #fetchNext(): void {
    while (this.#fetching < transfersAtOnce && this.#toFetch.length > 0) {
      const { blob, isWanted } = this.#toFetch.shift()!;
      if (!isWanted()) continue;
      this.#fetching++;
      const fetched = blob.size > wholeBytes ? this.read(blob, blob.range) : this.#whole(blob);
      fetched
        .catch((error: unknown) => {
          this.#ports.log("debug", "A blob of a queued task could not be fetched.", {
            sha256: blob.sha256,
            error,
          });
        })
        .finally(() => {
          this.#fetching--;
          this.#fetchNext();
        });
    }
  }

  /**
   * Stores bytes as a blob on the server.
   * @param isWanted - lifts the limit of tries: called after each failed try, and `false` ends the upload
   * @throws PlatformError TOO_LARGE, …
   */
  async upload(bytes: Uint8Array, isWanted?: () => boolean): Promise<BlobName> {
    const sha256 = await this.#ports.blobs.hash(bytes);
    // Two uploads of the same bytes would cut each other. The later one asks the server first, which has them by then.
    const earlier = this.#sending.get(sha256);
    const part = { length: 0, isBegun: earlier !== undefined, sha256 };
    const upload = async (): Promise<BlobName> => {
      await earlier?.catch(() => undefined);
      return this.#uploads(async () => {
        if (isWanted?.() === false) throw new PlatformError("JOB_CANCELLED", "The output is not wanted.");
        return this.#retry((ticket) => this.#ports.blobs.upload(bytes, ticket, part), { part, isWanted });
      });
    };
    const sending = upload();
    this.#sending.set(sha256, sending);
    try {
      const name = await sending;
      // A later task of this client may read what this one made, as a tree of combined outputs does.
      if (bytes.length <= wholeBytes) this.#keep(name, bytes);
      return name;
    } finally {
      if (this.#sending.get(sha256) === sending) this.#sending.delete(sha256);
    }
  }

  #whole(name: BlobName, given?: Uint8Array): Promise<Uint8Array> {
    const kept = this.#memory.get(name.sha256);
    if (kept?.length === name.size) return Promise.resolve(kept);
    return this.#once(name.sha256, async () => {
      const bytes = (await this.#cached(name)) ?? (await this.#fetchAndCache(name, given));
      if (bytes.length <= wholeBytes && !this.#isNear(name)) this.#memory.put(name.sha256, bytes);
      return bytes;
    });
  }

  #isNear(name: BlobName): boolean {
    return this.#ports.cache.isNear?.(name) === true;
  }

  #once(key: string, start: () => Promise<Uint8Array>): Promise<Uint8Array> {
    let under = this.#underWay.get(key);
    if (!under) {
      under = start().finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, under);
    }
    return under;
  }

  /** A cached blob. A failing cache counts as a miss, and the blob is fetched. */
  async #cached({ sha256, size }: BlobName): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#ports.cache.get(sha256);
      return bytes?.length === size ? bytes : undefined;
    } catch (error) {
      this.#ports.log("debug", "The blob cache failed.", { sha256, error });
      return undefined;
    }
  }

  async #fetchAndCache(name: BlobName, given?: Uint8Array): Promise<Uint8Array> {
    const isRight = given && (await this.#ports.blobs.hash(given)) === name.sha256;
    const bytes = isRight ? given : await this.#fetch(name, undefined);
    this.#keep(name, bytes);
    return bytes;
  }

  #keep({ sha256 }: BlobName, bytes: Uint8Array): void {
    this.#ports.cache.put(sha256, bytes).catch((error: unknown) => {
      this.#ports.log("debug", "A blob could not be cached.", { sha256, error });
    });
  }

  async #fetch(
    name: BlobName,
    range: Range | undefined,
    check?: (bytes: Uint8Array) => Promise<void>,
  ): Promise<Uint8Array> {
    this.#busy++;
    try {
      return await this.#downloads(async () => {
        const { clock } = this.#ports;
        const begunAt = clock.now();
        const bytes = await this.#transfer(name, range, check);
        this.#fetched?.(name.sha256, clock.now() - begunAt);
        return bytes;
      });
    } finally {
      if (--this.#busy === 0) for (const wake of this.#quiet) wake();
    }
  }

  #transfer(
    name: BlobName,
    range: Range | undefined,
    check?: (bytes: Uint8Array) => Promise<void>,
  ): Promise<Uint8Array> {
    const expected = range ? range[1] - range[0] : name.size;
    const part = { bytes: new Uint8Array(), length: 0 };
    const fetch = async (ticket: string): Promise<Uint8Array> => {
      const bytes = await this.#ports.blobs.fetch(name, range, ticket, part);
      if (bytes.length !== expected)
        throw new PlatformError(
          "HASH_MISMATCH",
          `${bytes.length} bytes came of blob ${name.sha256}; expected ${expected}.`,
        );
      await check?.(bytes);
      return bytes;
    };
    return this.#retry(fetch, { part });
  }

  /** @param part - its length tells whether a failed try moved bytes, which starts back-off and count of tries afresh */
  async #retry<T>(
    action: (ticket: string) => Promise<T>,
    { part, isWanted }: { part?: { readonly length: number }; isWanted?: (() => boolean) | undefined } = {},
  ): Promise<T> {
    for (let attempt = 0, counted = 0, most = 0; ; attempt++) {
      const ticket = await this.#currentTicket();
      try {
        return await action(ticket);
      } catch (cause) {
        const error = PlatformError.from(cause);
        // A ticket lapses with its connection, and the next welcome brings a new one.
        if (!error.retryable && error.code !== "UNAUTHENTICATED") throw error;
        if (part && part.length > most) {
          most = part.length;
          attempt = counted = 0;
        } else if (this.#connected) counted++;
        const enough = isWanted ? !isWanted() : counted >= maxTries;
        if (enough || this.#closed) throw error;
      }
      await this.#sleep(backoffMs(attempt, this.#ports.random));
      // A new ticket means that the server can be reached, so the back-off starts afresh.
      if (this.#ticket !== ticket) attempt = -1;
    }
  }

  async #currentTicket(): Promise<string> {
    while (this.#ticket === undefined && !this.#closed) await this.#sleep(undefined);
    if (this.#closed || this.#ticket === undefined)
      throw new PlatformError("SHUTTING_DOWN", "The client is stopping.");
    return this.#ticket;
  }

  /** Resolves after `ms` (never, when undefined), at a new ticket, or at `close`. */
  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(wake);
        cancel?.();
        resolve();
      };
      const cancel = ms === undefined ? undefined : this.#ports.clock.setTimer(ms, wake);
      this.#waiters.add(wake);
    });
  }

  #wakeAll(): void {
    for (const wake of this.#waiters) wake();
  }
}
