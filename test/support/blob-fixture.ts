import { expect } from "vitest";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { BlobAccess } from "../../shared/client/data/blob-access.ts";
import { chunkDigests, hash } from "./chunks.ts";
import { VirtualClock } from "./client-virtual-clock.ts";

export const mebibyte = 1024 * 1024;

/** A server's blobs and a machine's cache, with a record of requests to both. */
export class BlobFixture {
  readonly clock = new VirtualClock();
  readonly served = new Map<Sha256, Uint8Array>();
  readonly cached = new Map<Sha256, Uint8Array>();
  readonly fetched: string[] = [];
  /** Blobs that kernels read as fast without the client's memory. */
  readonly near = new Set<Sha256>();
  /** Errors of the next transfers, one for each transfer. */
  readonly errors: PlatformError[] = [];
  readonly listErrors: PlatformError[] = [];
  /** Number of requests for digests. */
  lists = 0;
  /** Bytes that a transfer moves before it breaks off; undefined: all. */
  stepBytes: number | undefined;
  /** Sizes of the uploads that were begun. */
  readonly uploading: number[] = [];
  /** Whether transfers wait for `release` with their size. */
  isHeld = false;
  readonly #held = new Map<number, () => void>();
  /** Changes the bytes of the next transfer. */
  damage: ((bytes: Uint8Array) => void) | undefined;
  readonly #ports: ConstructorParameters<typeof BlobAccess>[0] = {
    clock: this.clock,
    random: () => 0.5,
    log: () => undefined,
    blobs: {
      fetch: async ({ sha256, size }, range, ticket, part) => {
        this.fetched.push(`${ticket}: ${range ? range.join("-") : "all"} of ${size}`);
        const error = this.errors.shift();
        if (error) throw error;
        if (part) this.#step(part, size);
        if (this.isHeld) await new Promise<void>((resolve) => this.#held.set(size, resolve));
        const bytes = this.served.get(sha256);
        if (!bytes) throw new PlatformError("NOT_FOUND", "no such blob");
        const sent = range ? bytes.slice(...range) : bytes.slice();
        this.damage?.(sent);
        this.damage = undefined;
        return sent;
      },
      chunks: async ({ sha256 }) => {
        this.lists++;
        const error = this.listErrors.shift();
        if (error) throw error;
        return chunkDigests(this.served.get(sha256) ?? new Uint8Array());
      },
      hash,
      upload: async (bytes, _ticket, part) => {
        this.uploading.push(bytes.length);
        const error = this.errors.shift();
        if (error) throw error;
        if (part) this.#step(part, bytes.length);
        if (this.isHeld) await new Promise<void>((resolve) => this.#held.set(bytes.length, resolve));
        return { sha256: sha256Hex(bytes), size: bytes.length };
      },
    },
    cache: {
      get: async (sha256) => this.cached.get(sha256),
      put: async (sha256, bytes) => void this.cached.set(sha256, bytes.slice()),
      list: async () => [],
      onChange: () => undefined,
      isNear: ({ sha256 }) => this.near.has(sha256),
    },
  };
  access = new BlobAccess(this.#ports);

  release(size: number): void {
    this.#held.get(size)?.();
  }

  #step(part: { length: number }, size: number): void {
    if (this.stepBytes === undefined) return;
    part.length = Math.min(size, part.length + this.stepBytes);
    if (part.length < size) throw new PlatformError("UNREACHABLE", "cut");
  }

  /** Restarts the client with an empty memory. */
  restart(): BlobAccess {
    this.access = new BlobAccess(this.#ports);
    return this.access;
  }

  add(bytes: Uint8Array): BlobName {
    const sha256 = `${this.served.size}`.padStart(64, "0") as Sha256;
    this.served.set(sha256, bytes);
    return { sha256, size: bytes.length };
  }

  /** Lets time pass until a promise has settled. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false };
    const noted = promise.finally(() => (state.settled = true));
    noted.catch(() => undefined);
    for (let steps = 0; steps < 1000 && !state.settled; steps++) await this.clock.step();
    expect(state.settled).toBe(true);
    return noted;
  }
}

export function readyBlobs(): BlobFixture {
  const fixture = new BlobFixture();
  fixture.access.useTicket("t1");
  return fixture;
}
