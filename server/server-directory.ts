import type { Capacity } from "../shared/wire/rest/capacity.ts";
import { makeServerId } from "./access/ticket.ts";
import { urlForOthers } from "./reachable-urls.ts";
import type { ServerRow, SharedStore } from "./store/shared-store.ts";

/** Time between two look-ups of the servers; this server's row is published as often. */
const lookMs = 1000;
/** A server that does not answer another within this time is left out of the answer. */
const answerMs = 2000;

/** Figures that a server publishes. A server of another version may leave some out or add others. */
export interface Published {
  /** Identifier of the process, which the tickets of its clients name. */
  readonly id: string;
  readonly version: string;
  /** Addresses of the server itself, for the other servers; those for clients may be a balancer's. */
  readonly urls: readonly string[];
  readonly capacity: Capacity;
  /** Tasks of each of the last 300 seconds, oldest first. */
  readonly throughput: readonly number[];
  /** Leased tasks of jobs, and the sums of their fractions; those with most of them. */
  readonly running: readonly (readonly [job: string, count: number, done: number])[];
  /** Tasks that are leased in all. */
  readonly leases: number;
  /** Tasks that the server has claimed, leased or not. */
  readonly claimed: number;
  /** Delay of the event loop lately, in ms. */
  readonly lagMs: number;
  /** Jobs with readers at this server that would otherwise be ended as abandoned, or deleted because their time is over. */
  readonly followed: readonly string[];
}

/** A server of the last minute. */
export interface KnownServer extends ServerRow {
  /** Undefined before the server published anything. */
  readonly published: Published | undefined;
}

/** Answers of the other servers to one question. */
export interface Answers<Answer> {
  readonly answers: readonly Answer[];
  /** Names of the living servers that did not answer in time. */
  readonly silent: readonly string[];
}

/** The servers of a shared store, as of the last look. */
export class ServerDirectory {
  /** Identifier of this server. */
  readonly id = makeServerId();
  /** Figures that this server publishes; set once the server knows them. */
  describe: (() => Omit<Published, "id" | "urls" | "lagMs">) | undefined;
  /** Token of this server at the others, and its own addresses; set once it listens. */
  self: { readonly token: string; readonly urls: readonly string[] } | undefined;
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
    const urls = this.#rows.flatMap(({ live, urls: all }) => (live ? (addressOf(all) ?? []) : []));
    // A balancer's address may be that of all.
    return [...new Set(urls)];
  }

  /** The address of a living server, for other servers. */
  urlOf(id: string): string | undefined {
    return addressOf(this.others.find((other) => other.id === id)?.urls ?? []);
  }

  /**
   * Asks each of the other living servers for its own figures.
   *
   * @param path - path and query of a GET request that is answered in JSON
   */
  async ask<Answer>(path: string): Promise<Answers<Answer>> {
    const others = this.#rows.filter(({ live, published }) => live && published && published.id !== this.id);
    const asked = await Promise.all(
      others.map(async ({ name, published }) => ({
        name,
        answer: await this.#ask<Answer>(published!, path),
      })),
    );
    return {
      answers: asked.flatMap(({ answer }) => (answer === undefined ? [] : [answer])),
      silent: asked.filter(({ answer }) => answer === undefined).map(({ name }) => name),
    };
  }

  async #ask<Answer>({ urls }: Published, path: string): Promise<Answer | undefined> {
    const url = addressOf(urls);
    if (url === undefined || this.self === undefined) return undefined;
    try {
      const reply = await fetch(`${url.replace(/\/$/, "")}${path}`, {
        headers: { accept: "application/json", authorization: `Bearer ${this.self.token}` },
        signal: AbortSignal.timeout(answerMs),
      });
      return reply.ok ? ((await reply.json()) as Answer) : undefined;
    } catch {
      return undefined;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Publishes this server, and looks at the others. */
  async look(): Promise<void> {
    try {
      if (this.describe) {
        const published: Published = {
          id: this.id,
          urls: this.self?.urls ?? [],
          lagMs: this.#lagMs,
          ...this.describe(),
        };
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
function addressOf(urls: readonly string[]): string | undefined {
  return urlForOthers(urls) ?? urls[0];
}
