import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { afterEach, beforeEach } from "vitest";
import type { BlobBackend } from "../../server/blobs/backend.ts";
import { BlobStore, type BlobStoreOptions } from "../../server/blobs/blob-store.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import type { BlobOwner, Store } from "../../server/store/store.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";

/** A place for blobs, empty at first. */
export interface BlobPlace {
  /** The backend of one more server. */
  backend(): BlobBackend;
  /** Contents of the place: names of blobs, their digests, and uploads under way. */
  everything(): Promise<string[]>;
  /** Replaces the bytes of a blob, as a damage does; without bytes the blob is gone. */
  damage(sha256: Sha256, bytes?: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface BlobHarness {
  /** Collisions of a use and a removal that are tried. */
  readonly rounds: number;
  /** Whether several servers may have the blobs. */
  readonly isShared: boolean;
  /** Whether the medium finds changed bytes itself. */
  readonly verifiesItself: boolean;
  readonly open: () => Promise<BlobPlace>;
}

export const keepMs = 1000;
export const ada = { customer: "ada" };

export interface Content {
  readonly bytes: Uint8Array;
  readonly sha256: Sha256;
}

export function content(size: number): Content {
  const bytes = randomBytes(size);
  return { bytes, sha256: sha256Hex(bytes) };
}

/** The bytes in pieces, as a request brings them. */
export function stream({ bytes }: Content, pieceBytes = 1000): Readable {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return Readable.from(pieces);
}

/** Blobs with their records, on a clock of the test. */
export class BlobWorld {
  now = 1_000_000;
  readonly place: BlobPlace;
  readonly store: Store;
  readonly #servers: BlobStore[] = [];
  blobs: BlobStore;

  private constructor(place: BlobPlace, store: Store) {
    this.place = place;
    this.store = store;
    this.blobs = this.server();
  }

  static async open(openPlace: BlobHarness["open"]): Promise<BlobWorld> {
    let world: BlobWorld | undefined;
    const store = await openMemoryStore({ clock: () => world?.now ?? 0 });
    world = new BlobWorld(await openPlace(), store);
    return world;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.close();
    await this.store.close();
    await this.place.close();
  }

  /** Another server of these blobs. */
  server(options: Partial<BlobStoreOptions> & { backend?: BlobBackend } = {}): BlobStore {
    const { backend = this.place.backend(), ...others } = options;
    const server = new BlobStore(backend, {
      quotaBytes: 100_000_000,
      keepMs,
      store: this.store,
      clock: () => this.now,
      ...others,
    });
    if (!options.backend) this.#servers.push(server);
    return server;
  }

  async put(what: Content, owner: BlobOwner = ada, blobs = this.blobs) {
    return blobs.write(what.sha256, stream(what), owner, what.bytes.length);
  }

  async read(sha256: Sha256, range?: readonly [number, number], blobs = this.blobs): Promise<Buffer> {
    return Buffer.concat(await blobs.open(sha256, range).toArray());
  }

  /** Whether there is no byte and no record of any blob. */
  async isEmpty(): Promise<boolean> {
    const { count, bytes } = await this.store.blobUsage();
    return count === 0 && bytes === 0 && (await this.place.everything()).length === 0;
  }
}

/** A fresh world for each test. */
export function useWorld(harness: BlobHarness): { readonly world: BlobWorld } {
  let world: BlobWorld | undefined;
  beforeEach(async () => {
    world = await BlobWorld.open(harness.open);
  });
  afterEach(() => world?.close());
  return {
    get world() {
      if (!world) throw new Error("there is a world in tests only");
      return world;
    },
  };
}
