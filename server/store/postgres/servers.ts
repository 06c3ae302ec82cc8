import { setTimeout as wait } from "node:timers/promises";
import type { JobId } from "../../../shared/ids.ts";
import type { News, ServerRow } from "../shared-store.ts";
import type { PlatformError } from "../../../shared/errors.ts";
import { Connection, type Target } from "./connection.ts";
import { newerSchema, schemaVersion } from "./schema.ts";
import type { Liveness } from "./shared-claims.ts";
import type { ChangedJob } from "./shared-jobs.ts";

/** Name and addresses of this server for the others. */
export interface ServerName {
  readonly name: string;
  /** Addresses under which clients reach it. */
  readonly urls: readonly string[];
}

interface Options extends ServerName {
  /** Time after which a silent server counts as dead. */
  readonly timeToLiveMs: number;
}

/** A notification has at most 8,000 bytes. */
const payloadBytes = 7_900;

/** The row of a dead server stays for a while, for people to see. */
const rowKeptS = 60;

const reconnectMs = 250;

interface Listeners {
  news(news: News): void;
  /** Called after this server was declared dead and got a new epoch. */
  fenced(): void;
  /** Called when a newer version migrated the database: this server cannot go on. */
  outdated(reason: PlatformError): void;
  /** Called about every two seconds while there are other servers. */
  polled(): void;
  /** Another server died, and its unfinished work falls to this server. */
  inherited(): void;
  /** The set of living servers changed. */
  servers(live: ReadonlySet<number>): void;
  told(message: unknown, epoch: number): void;
}

/**
 * The servers of the database: the row of this server, which it renews; the others that are alive; their changes, from their
 * notifications and from polling behind these.
 */
export class Servers implements Liveness {
  epoch = 0;
  /** Whether other servers are alive, as of the last renewal, or one has joined since. */
  others = false;
  /** Whether this server is the eldest living one, as of the last renewal. */
  leads = false;
  readonly #target: Target;
  readonly #options: Options;
  #self: ServerName;
  #about = "";
  #live: ReadonlySet<number> = new Set();
  readonly #listeners: Listeners;
  #connection: Connection | undefined;
  readonly #known = new Set<number>();
  readonly #gone = new Set<number>();
  /** The versions of active jobs, as this server knows them. */
  readonly #versions = new Map<JobId, number>();
  readonly #counts = new Map<string, number>();
  #renewedAt = performance.now();
  #mayBuryAt = 0;
  #closed = false;
  #loop: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  #registering: Promise<void> | undefined;

  constructor(target: Target, options: Options, listeners: Listeners) {
    this.#target = target;
    this.#options = options;
    this.#self = options;
    this.#listeners = listeners;
  }

  async start(): Promise<void> {
    await this.#connect();
    await this.#poll(false);
    this.#loop = this.#run();
  }

  isGone(epoch: number): boolean {
    return this.#gone.has(epoch);
  }

  know(epoch: number): void {
    if (epoch !== this.epoch) this.#known.add(epoch);
  }

  /** The rows of all servers that were alive lately. */
  async list(): Promise<ServerRow[]> {
    const rows = await this.#connected().query<Omit<ServerRow, "urls"> & { urls: string }>(
      `SELECT epoch, name, urls, about, (extract(epoch FROM since) * 1000)::bigint AS since, NOT buried AS live,
         (extract(epoch FROM clock_timestamp() - expires) * 1000)::bigint + ${this.#options.timeToLiveMs} AS silentMs
       FROM servers ORDER BY epoch`,
    );
    return rows.map((row) => ({ ...row, urls: row.urls === "" ? [] : row.urls.split(" ") }));
  }

  /** Names the addresses of this server, which it may know only after it listens. */
  async introduce(self: ServerName): Promise<void> {
    this.#self = self;
    const { name, urls } = self;
    await this.#connected().query(
      "UPDATE servers SET name = ?, urls = ? WHERE epoch = ?",
      name,
      urls.join(" "),
      this.epoch,
    );
  }

  async publish(about: string): Promise<void> {
    this.#about = about;
    await this.#connected().query("UPDATE servers SET about = ? WHERE epoch = ?", about, this.epoch);
  }

  async tell(message: unknown): Promise<void> {
    if (this.others) await this.#notify({ kinds: [], told: message });
  }

  async #notify(content: object): Promise<void> {
    await this.#connected().query(
      "SELECT pg_notify('manyhands ' || current_schema(), ?)",
      JSON.stringify({ epoch: this.epoch, ...content }),
    );
  }

  /** The notification of changes; undefined when there is nobody to hear it. */
  notification(jobs: readonly ChangedJob[], kinds: readonly string[]): string | undefined {
    const told = jobs.filter((job) => job.kinds.length > 0);
    if (!this.others || (told.length === 0 && kinds.length === 0)) return undefined;
    const text = JSON.stringify({
      epoch: this.epoch,
      kinds,
      jobs: told.map((job) => [job.id, job.version, job.kinds]),
    });
    return text.length <= payloadBytes ? text : JSON.stringify({ epoch: this.epoch, kinds, many: true });
  }

  /** Notes own changes that were committed. */
  note(jobs: readonly ChangedJob[]): void {
    if (!this.others) return;
    for (const { id, version } of jobs) this.#noteVersion(id, version);
  }

  /** Notes a job, and its version when all versions before are known: polling finds earlier changes of another server. */
  #noteVersion(id: JobId, version: number): void {
    const known = this.#versions.get(id) ?? 0;
    this.#versions.set(id, known === version - 1 ? version : known);
  }

  /** Registers anew after the server of an epoch was declared dead. */
  async register(dead: number): Promise<void> {
    if (dead !== this.epoch) return;
    this.#registering ??= this.#register().finally(() => (this.#registering = undefined));
    await this.#registering;
  }

  /** Whether a newer version has migrated the database; false when the database does not answer. */
  isOutdated(): Promise<boolean> {
    return this.#version().then(
      (version) => version > schemaVersion,
      () => false,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    await this.#loop;
    try {
      // The other servers hear of the end at once, and take over the unfinished work.
      await this.#connection?.query(
        "UPDATE servers SET expires = clock_timestamp() WHERE epoch = ?",
        this.epoch,
      );
    } catch {
      // The row expires by itself.
    }
    await this.#connection?.close();
  }

  /** @throws PlatformError DATA_DIRECTORY when a newer version migrated the database */
  async #register(): Promise<void> {
    const { name, urls } = this.#self;
    const [row] = await this.#connected().query<{ epoch: number }>(
      `INSERT INTO servers (name, urls, about, expires)
       SELECT ?, ?, ?, clock_timestamp() + ? * interval '1 millisecond' FROM manyhands WHERE version = ? RETURNING epoch`,
      name,
      urls.join(" "),
      this.#about,
      this.#options.timeToLiveMs,
      schemaVersion,
    );
    if (row === undefined) throw newerSchema(await this.#version());
    const again = this.epoch !== 0;
    this.epoch = row.epoch;
    // The others find the row by polling, too.
    await this.#notify({ kinds: [], joined: true }).catch(() => {});
    if (again) this.#listeners.fenced();
  }

  /** The schema version of the database; tells when a newer version migrated it. */
  async #version(): Promise<number> {
    const [row] = await this.#connected().query<{ version: number }>("SELECT version FROM manyhands");
    const { version } = row!;
    if (version > schemaVersion) this.#listeners.outdated(newerSchema(version));
    return version;
  }

  async #run(): Promise<void> {
    const renewMs = this.#options.timeToLiveMs * 0.3;
    while (!this.#closed) {
      await wait(renewMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#closed) return;
      try {
        if (!this.#connection || this.#connection.isLost) await this.#connect();
        await this.#renew();
        await this.#poll(true);
      } catch {
        await wait(Math.min(reconnectMs, renewMs));
      }
    }
  }

  async #connect(): Promise<void> {
    const connection = await Connection.open(this.#target);
    connection.onNotification = (payload) => this.#heard(payload);
    const [row] = await connection.query<{ channel: string }>(
      "SELECT quote_ident('manyhands ' || current_schema()) AS channel",
    );
    await connection.script(`LISTEN ${row!.channel}`);
    this.#connection = connection;
    if (this.epoch === 0) await this.register(0);
  }

  async #renew(): Promise<void> {
    const { epoch } = this;
    const [answer] = await this.#connected().run([
      {
        sql: `UPDATE servers SET expires = clock_timestamp() + ? * interval '1 millisecond'
              WHERE epoch = ? AND NOT buried`,
        values: [this.#options.timeToLiveMs, epoch],
      },
    ]);
    if (answer!.changed === 0) await this.register(epoch);
    const now = performance.now();
    const { timeToLiveMs } = this.#options;
    // A database that this server could not reach was perhaps out of reach for all: the others get the time to renew their rows.
    if (now - this.#renewedAt > timeToLiveMs) this.#mayBuryAt = now + timeToLiveMs;
    this.#renewedAt = now;
  }

  async #poll(tell: boolean): Promise<void> {
    if (performance.now() >= this.#mayBuryAt) await this.#bury();
    const rows = await this.#connected().query<{ epoch: number; live: boolean }>(
      "SELECT epoch, NOT buried AS live FROM servers",
    );
    const live = new Set(rows.filter((row) => row.live).map(({ epoch }) => epoch));
    this.others = live.size > (live.has(this.epoch) ? 1 : 0);
    const died = [...this.#known].filter((epoch) => !live.has(epoch));
    for (const epoch of died) {
      this.#known.delete(epoch);
      this.#gone.add(epoch);
    }
    for (const epoch of live) this.know(epoch);
    this.leads = live.has(this.epoch) && Math.min(...live) === this.epoch;
    if (died.length > 0) await this.#tellReturned(died);
    if (this.others || died.length > 0) {
      await this.#pollJobs(tell);
      this.#listeners.polled();
    } else this.#versions.clear();
    if (live.symmetricDifference(this.#live).size > 0) this.#listeners.servers((this.#live = live));
  }

  /** Declares servers dead that have not renewed their rows, and takes over their unfinished work. */
  async #bury(): Promise<void> {
    const [answer] = await this.#connected().run([
      {
        sql: "UPDATE servers SET buried = true WHERE NOT buried AND expires < clock_timestamp() AND epoch <> ?",
        values: [this.epoch],
      },
      {
        sql: `DELETE FROM servers WHERE buried AND expires < clock_timestamp() - ${rowKeptS} * interval '1 second'`,
        values: [],
      },
    ]);
    if (answer!.changed > 0) this.#listeners.inherited();
  }

  /** Tells which jobs have tasks to claim again, because their server died. */
  async #tellReturned(died: readonly number[]): Promise<void> {
    const rows = await this.#connected().query<{ id: JobId }>(
      `SELECT DISTINCT jobs.id FROM claims JOIN jobs ON jobs.number = claims.job
       WHERE epoch = ANY (string_to_array(?, ' ')::bigint[])`,
      died.join(" "),
    );
    if (rows.length > 0) this.#tell({ jobs: rows.map(({ id }) => ({ id, kinds: ["tasks"] })), kinds: [] });
  }

  /** Finds changes whose notifications were lost or too long. */
  async #pollJobs(tell: boolean): Promise<void> {
    const counts = await this.#connected().query<{ kind: News["kinds"][number]; count: number }>(
      "SELECT kind, count FROM changes",
    );
    const rows = await this.#connected().query<{ id: JobId; version: number }>(
      "SELECT id, version FROM jobs WHERE state IN ('open', 'closed')",
    );
    // No query follows that could fail, so all noted changes are told.
    const active = new Set(rows.map(({ id }) => id));
    const changed = rows
      .filter(({ id, version }) => (this.#versions.get(id) ?? -1) < version)
      .map(({ id }) => id);
    for (const id of this.#versions.keys())
      if (!active.has(id)) {
        // The end of the job may have been this server's own; hearing of it once more does no harm.
        changed.push(id);
        this.#versions.delete(id);
      }
    for (const { id, version } of rows) this.#versions.set(id, version);
    const kinds = counts
      .filter(({ kind, count }) => this.#counts.get(kind) !== count)
      .map(({ kind }) => kind);
    for (const { kind, count } of counts) this.#counts.set(kind, count);
    if (tell)
      this.#tell({
        active,
        jobs: changed.map((id) => ({ id, kinds: ["tasks", "outcomes", "state", "provisional"] })),
        kinds,
      });
  }

  #heard(payload: string): void {
    const heard = JSON.parse(payload) as {
      epoch: number;
      kinds: News["kinds"];
      many?: boolean;
      joined?: boolean;
      told?: unknown;
      jobs?: [JobId, number, News["jobs"][number]["kinds"]][];
    };
    if (heard.epoch === this.epoch || this.#closed) return;
    if (heard.joined) this.others = true;
    if (heard.told !== undefined) return this.#listeners.told(heard.told, heard.epoch);
    if (heard.many) this.#pollJobs(true).catch(() => {});
    const jobs = heard.jobs ?? [];
    for (const [id, version] of jobs) this.#noteVersion(id, version);
    if (jobs.length > 0 || heard.kinds.length > 0)
      this.#tell({ jobs: jobs.map(([id, , kinds]) => ({ id, kinds })), kinds: heard.kinds });
  }

  #tell(news: News): void {
    if (!this.#closed) this.#listeners.news(news);
  }

  #connected(): Connection {
    if (!this.#connection) throw new Error("There is no connection yet.");
    return this.#connection;
  }
}
