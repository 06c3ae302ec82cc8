import { makeServerId } from "./access/ticket.ts";
import { urlForOthers } from "./reachable-urls.ts";
import type { ServerRow, SharedStore } from "./store/shared-store.ts";

/** The servers are looked up, and this one publishes itself, this often. */
const lookMs = 1000;

/** Figures that a server publishes. A server of another version may leave some out or add others. */
export interface Published {
  /** Identifier of the process, which the tickets of its clients name. */
  readonly id: string;
  readonly version: string;
  readonly clients: {
    readonly browser: number;
    readonly node: number;
    readonly slots: number;
    readonly busy: number;
  };
  /** Tasks a second. */
  readonly rate: number;
  /** Leased tasks of jobs, and the sums of their fractions; those with most of them. */
  readonly running: readonly (readonly [job: string, count: number, done: number])[];
  /** Tasks that are leased in all. */
  readonly leases: number;
  /** Delay of the event loop lately, in ms. */
  readonly lagMs: number;
  /** Open jobs without new tasks for long whose readers are at this server. */
  readonly followed: readonly string[];
}

/** A server of the last minute. */
export interface KnownServer extends ServerRow {
  /** Undefined before the server published anything. */
  readonly published: Published | undefined;
}

/** The servers of a shared store, as of the last look. */
export class ServerDirectory {
  /** Identifier of this server. */
  readonly id = makeServerId();
  /** Figures that this server publishes; set once the server knows them. */
  describe: (() => Omit<Published, "id" | "lagMs">) | undefined;
  readonly #store: SharedStore;
  readonly #timer: NodeJS.Timeout;
  #rows: readonly KnownServer[] = [];
  #dueAt = performance.now() + lookMs;
  #lagMs = 0;

  private constructor(store: SharedStore) {
    this.#store = store;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#lagMs = Math.max(0, Math.round(now - this.#dueAt));
      this.#dueAt = now + lookMs;
      void this.look();
    }, lookMs);
    this.#timer.unref();
  }

  static async open(store: SharedStore): Promise<ServerDirectory> {
    const directory = new ServerDirectory(store);
    await directory.look();
    return directory;
  }

  /** Every server of the last minute, the living ones first. */
  get rows(): readonly KnownServer[] {
    return this.#rows;
  }

  /** Figures of the other living servers. */
  get others(): Published[] {
    return this.#rows.flatMap(({ live, published }) =>
      live && published && published.id !== this.id ? published : [],
    );
  }

  /** An address of each living server, for clients. */
  get urls(): string[] {
    return this.#rows.flatMap((row) => (row.live ? (addressOf(row) ?? []) : []));
  }

  /** The address of a living server. */
  urlOf(id: string): string | undefined {
    const row = this.#rows.find(({ live, published }) => live && published?.id === id);
    return row && addressOf(row);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Publishes this server, and looks at the others. */
  async look(): Promise<void> {
    try {
      if (this.describe) {
        const published: Published = { id: this.id, lagMs: this.#lagMs, ...this.describe() };
        await this.#store.publish(JSON.stringify(published));
      }
      const rows = await this.#store.servers();
      this.#rows = rows
        .map((row) => ({ ...row, published: publishedOf(row) }))
        .toSorted((a, b) => Number(b.live) - Number(a.live));
    } catch {
      // The last rows stay while the database is away.
    }
  }
}

function publishedOf({ about }: ServerRow): Published | undefined {
  return about === "" ? undefined : (JSON.parse(about) as Published);
}

/** The address of a server for others. */
function addressOf({ urls }: ServerRow): string | undefined {
  return urlForOthers(urls) ?? urls[0];
}
