import type { DatabaseSync } from "../../system/sqlite.ts";
import type { Quotas } from "../../server/store/quotas.ts";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { openStoreOn } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { FaultyDatabase, type Disk } from "./faulty-database.ts";
import { Network, type Host } from "./network.ts";
import { PostgresModel } from "./postgres-model.ts";
import { readerOf } from "./postgres-reader.ts";
import type { Process, VirtualTime } from "./virtual-time.ts";
import type { Trace } from "./trace.ts";
import type { ClientEnd, ReachableDatabase } from "./virtual-postgres.ts";

/** Outcomes after which the set of a job's ended tasks is saved. */
const markEvery = 16;

/** Database and blobs of servers, which outlive the server processes. */
export interface Storage {
  readonly connection: DatabaseSync;
  /** Opens the store for a server. */
  open(process: Process, place: string, quotas: Quotas): Promise<Store>;
  /** Runs `action` on a store that sees all that is committed, without faults. */
  inspect(store: Store | undefined, action: (store: Store) => Promise<void>): Promise<void>;
  /** Ends all faults. */
  mend(): void;
  processGone(process: Process, isTold: boolean): void;
}

/** The disk of one server. */
export class DiskStorage implements Storage {
  readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  get connection(): DatabaseSync {
    return this.disk.connection;
  }

  async open(process: Process, _place: string, quotas: Quotas): Promise<Store> {
    return openStoreOn(new FaultyDatabase(this.disk, process), { quotas, markEvery });
  }

  inspect(store: Store, action: (store: Store) => Promise<void>): Promise<void> {
    return this.disk.soundly(() => action(store));
  }

  mend(): void {
    this.disk.mend();
  }

  processGone(): void {}
}

/** The database that several servers share. */
export class DatabaseStorage implements Storage, ReachableDatabase {
  readonly model: PostgresModel;
  readonly network: Network;
  readonly #hosts: ReadonlyMap<string, Host>;
  #ends: ClientEnd[] = [];

  constructor(
    parts: { time: VirtualTime; random: () => number; trace: Trace },
    places: readonly { name: string; cutUntil: number }[],
  ) {
    const { time, random, trace } = parts;
    this.model = new PostgresModel(time, random, trace);
    this.network = new Network(time, random, 2);
    this.#hosts = new Map(places.map((place) => [place.name, hostOf(place)]));
  }

  get connection(): DatabaseSync {
    return this.model.connection;
  }

  open(_process: Process, place: string, quotas: Quotas): Promise<Store> {
    return openPostgresStore(`postgres://manyhands@${place}/manyhands`, { quotas, markEvery, name: place });
  }

  inspect(_store: Store | undefined, action: (store: Store) => Promise<void>): Promise<void> {
    return this.model.writer ? Promise.resolve() : action(readerOf(this.connection));
  }

  mend(): void {
    this.model.mend();
  }

  hostOf(name: string): Host {
    return this.#hosts.get(name)!;
  }

  opened(end: ClientEnd): void {
    this.#ends = this.#ends.filter(({ isOver }) => !isOver);
    this.#ends.push(end);
  }

  /** The open sessions. */
  get ends(): readonly ClientEnd[] {
    return this.#ends.filter(({ isOver, process }) => !isOver && process.isAlive);
  }

  processGone(process: Process, isTold: boolean): void {
    for (const end of this.#ends) if (end.process === process) end.break(isTold ? "server" : "neither");
  }
}

function hostOf(place: { readonly name: string; readonly cutUntil: number }): Host {
  return {
    name: place.name,
    address: place.name,
    get cutUntil() {
      return place.cutUntil;
    },
    set cutUntil(_at) {},
  };
}
