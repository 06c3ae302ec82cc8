import { randomBytes } from "node:crypto";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { OwnQuotas, Quotas } from "../quotas.ts";
import type { News, ServerRow, SharedStore, SignInRow } from "../shared-store.ts";
import type { Damage } from "../sql/checksum.ts";
import type { Query } from "../sql/database.ts";
import { EndedSets } from "../sql/ended-sets.ts";
import { OutcomePacks } from "../sql/outcome-packs.ts";
import { ProvisionalPacks } from "../sql/provisional-packs.ts";
import { SqlStore, type Verb } from "../sql/sql-store.ts";
import { TaskPacks } from "../sql/task-packs.ts";
import type { Transaction } from "../sql/transaction.ts";
import type { TokenChange, TokenRow } from "../store.ts";
import { Commits } from "./commits.ts";
import type { Target } from "./connection.ts";
import { PostgresDatabase } from "./database.ts";
import { isMisfit, storeError } from "./failure.ts";
import { Readers } from "./readers.ts";
import { Servers, type ServerName } from "./servers.ts";
import { SharedClaims } from "./shared-claims.ts";
import { ReadJobs, SharedJobs } from "./shared-jobs.ts";
import { SharedUsage } from "./usage.ts";
import * as bans from "../sql/verbs/bans.ts";
import * as quotas from "../sql/verbs/quotas.ts";
import * as tokens from "../sql/verbs/tokens.ts";

export interface PostgresStoreParts extends ServerName {
  readonly clock: () => number;
  readonly markEvery: number;
  readonly quotas: Quotas;
  readonly timeToLiveMs: number;
  /** Called with damaged data that was read. */
  readonly onDamage: (found: Damage) => void;
}

/** The Store on PostgreSQL, which several servers share. Made by `openPostgresStore`. */
export class PostgresStore extends SqlStore implements SharedStore {
  protected readonly parts: Transaction;
  readonly #options: PostgresStoreParts;
  readonly #db = new PostgresDatabase();
  readonly #usage: SharedUsage;
  readonly #jobs: SharedJobs;
  readonly #commits: Commits;
  readonly #readers: Readers;
  readonly #servers: Servers;
  /** The epoch of the transaction under way. */
  #epoch = 0;
  #effects: (() => void)[] = [];
  /** Changes of this transaction beside jobs. */
  readonly #kinds = new Set<News["kinds"][number]>();
  #news: (news: News) => void = () => {};
  #fenced: () => void = () => {};
  readonly #outdated = Promise.withResolvers<PlatformError>();
  #live: ReadonlySet<number> = new Set();
  #serversChanged: (live: ReadonlySet<number>) => void = () => {};
  #told: (message: unknown, epoch: number) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(target: Target, options: PostgresStoreParts) {
    super();
    this.#options = options;
    this.#readers = new Readers(target);
    this.#servers = new Servers(target, options, {
      news: (news) => {
        if (news.kinds.includes("quotas")) this.#readUsage();
        this.#news(news);
      },
      fenced: () => this.#fenced(),
      outdated: (reason) => this.#outdated.resolve(reason),
      inherited: () => this.#inherit(),
      servers: (live) => this.#heardServers(live),
      told: (message, from) => this.#told(message, from),
      polled: () => this.#readUsage(),
    });
    const db = this.#db;
    const ended = new EndedSets(db, options.markEvery);
    const provisional = new ProvisionalPacks(db, ended, options.onDamage);
    const epoch = () => this.#epoch;
    const claims = new SharedClaims(
      db,
      {
        get epoch() {
          return epoch();
        },
        isGone: (server) => this.#servers.isGone(server),
        know: (server) => this.#servers.know(server),
      },
      ended,
    );
    this.#usage = new SharedUsage(db, options.quotas);
    this.#jobs = new SharedJobs(db, this.#usage, { ended, provisional, claims });
    claims.changes = this.#jobs;
    this.parts = {
      db,
      jobs: this.#jobs,
      tasks: new TaskPacks(db, true),
      outcomes: new OutcomePacks(db),
      provisional,
      ended,
      usage: this.#usage,
      claims,
      feed: (id) => this.feeder.wake(id),
      reopened: new Set(),
      blobUsage: undefined,
      dependents: () => {},
      damaged: options.onDamage,
      afterCommit: (effect) => this.#effects.push(effect),
      clock: options.clock,
    };
    this.#commits = this.#makeCommits(target, claims);
  }

  /** Makes the server known to the others. */
  async start(): Promise<void> {
    await this.#servers.start();
    await this.#commits.write(() => this.#usage.readFull(), {});
    this.#inherit();
  }

  onNews(listener: (news: News) => void): void {
    this.#news = listener;
  }

  onFenced(listener: () => void): void {
    this.#fenced = listener;
  }

  get outdated(): Promise<PlatformError> {
    return this.#outdated.promise;
  }

  servers(): Promise<ServerRow[]> {
    return this.#servers.list();
  }

  introduce(name: string, urls: readonly string[]): Promise<void> {
    return this.#servers.introduce({ name, urls });
  }

  get epoch(): number {
    return this.#servers.epoch;
  }

  get leads(): boolean {
    return this.#servers.leads;
  }

  publish(about: string): Promise<void> {
    return this.#servers.publish(about);
  }

  onServers(listener: (live: ReadonlySet<number>) => void): void {
    this.#serversChanged = listener;
    listener(this.#live);
  }

  tell(message: unknown): Promise<void> {
    return this.#servers.tell(message);
  }

  onTold(listener: (message: unknown, epoch: number) => void): void {
    this.#told = listener;
  }

  secret(name: string): Promise<Uint8Array> {
    const value = randomBytes(32);
    return this.write(function* ({ db }) {
      yield* db.run(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        name,
        value,
      );
      const kept = yield* db.get<{ value: Uint8Array }>("SELECT value FROM secrets WHERE name = ?", name);
      return kept!.value;
    });
  }

  openSignIn({ id, token, expiresAt }: SignInRow): Promise<void> {
    const now = this.#options.clock();
    return this.write(function* ({ db }) {
      yield* db.run("DELETE FROM signIns WHERE expiresAt <= ?", now);
      yield* db.run("INSERT INTO signIns (id, token, expiresAt) VALUES (?, ?, ?)", id, token, expiresAt);
    });
  }

  findSignIn(id: string): Promise<SignInRow | undefined> {
    return this.read(({ db }) =>
      db.get<SignInRow>("SELECT id, token, expiresAt FROM signIns WHERE id = ?", id),
    );
  }

  closeSignIn(id: string): Promise<void> {
    return this.write(function* ({ db }) {
      yield* db.run("DELETE FROM signIns WHERE id = ?", id);
    });
  }

  override createToken(token: TokenRow) {
    return this.#changing("tokens", (transaction) => tokens.createToken(transaction, token));
  }

  override revokeToken(id: string) {
    return this.#changing("tokens", (transaction) => tokens.revokeToken(transaction, id));
  }

  override changeToken(id: string, change: TokenChange) {
    return this.#changing("tokens", (transaction) => tokens.changeToken(transaction, id, change));
  }

  override setQuotas(customer: string, own: OwnQuotas) {
    return this.#changing("quotas", (transaction) => quotas.setQuotas(transaction, customer, own));
  }

  override ban(subject: string, reason: string) {
    return this.#changing("bans", (transaction) => bans.ban(transaction, subject, reason));
  }

  override unban(subject: string) {
    return this.#changing("bans", (transaction) => bans.unban(transaction, subject));
  }

  async check(): Promise<void> {
    const epoch = () => this.#epoch;
    await this.write(function* ({ db }) {
      // Writes the server's own row unchanged.
      yield* db.run("UPDATE servers SET name = name WHERE epoch = ?", epoch());
    });
  }

  close(): Promise<void> {
    this.feeder.close();
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#commits.drained();
    await this.#servers.close();
    await Promise.all([this.#commits.close(), this.#readers.close()]);
  }

  protected async write<T>(verb: Verb<T>, job?: JobId, rows = 1): Promise<T> {
    this.#mustBeOpen();
    return this.#commits.write(() => verb(this.parts), { job, rows });
  }

  protected async read<T>(verb: Verb<T>): Promise<T> {
    this.#mustBeOpen();
    try {
      return await this.#readers.run(() => verb(this.#reading()));
    } catch (error) {
      throw storeError(error, isMisfit(error) && (await this.#servers.isOutdated()));
    }
  }

  /** Claims need not outlive a crash of PostgreSQL: tasks of lost claims can be claimed again. */
  protected async claiming<T>(verb: Verb<T>, job: JobId): Promise<T> {
    this.#mustBeOpen();
    return this.#commits.write(() => verb(this.parts), { job, lasting: false });
  }

  #changing<T>(kind: News["kinds"][number], verb: Verb<T>): Promise<T> {
    return this.write((transaction) => {
      this.#kinds.add(kind);
      return verb(transaction);
    });
  }

  /** Parts for one read: nothing that an earlier read saw is remembered. */
  #reading(): Transaction {
    const db = new PostgresDatabase();
    const ended = new EndedSets(db, this.#options.markEvery);
    const usage = new SharedUsage(db, this.#options.quotas);
    return {
      ...this.parts,
      db,
      jobs: new ReadJobs(db, usage),
      tasks: new TaskPacks(db),
      outcomes: new OutcomePacks(db),
      provisional: new ProvisionalPacks(db, ended, this.#options.onDamage),
      ended,
      usage,
      blobUsage: undefined,
    };
  }

  #makeCommits(target: Target, claims: SharedClaims): Commits {
    const { parts } = this;
    const forget = () => {
      this.#effects = [];
      this.#kinds.clear();
      this.#usage.rolledBack();
      parts.reopened.clear();
      parts.jobs.clear();
      parts.tasks.clear();
      parts.outcomes.clear();
      parts.provisional.clear();
      parts.ended.clear();
      claims.clear();
    };
    return new Commits(this.#db, target, {
      changes: () => parts.jobs.changes,
      beginning: () => {
        if (this.#epoch === this.#servers.epoch) return;
        // Claims of the epoch before belong to nobody.
        forget();
        this.#epoch = this.#servers.epoch;
      },
      ahead: (ids) => this.#jobs.ahead(ids),
      locked: (ids, heads) => this.#jobs.locked(ids, heads),
      beforeCommit: (number) => {
        parts.tasks.flush();
        parts.outcomes.flush();
        parts.provisional.flush();
        parts.ended.flush();
        claims.flush();
        parts.jobs.writeChanges();
        this.#usage.flush();
        for (const kind of this.#kinds)
          this.#db.write("UPDATE changes SET count = count + 1 WHERE kind = ?", kind);
        return this.#ending(number);
      },
      committed: () => {
        this.#servers.note(this.#jobs.written);
        this.#jobs.committed();
        this.#usage.committed();
        this.#kinds.clear();
        parts.reopened.clear();
        parts.blobUsage = undefined;
        for (const effect of this.#effects.splice(0)) effect();
      },
      rolledBack: forget,
      lost: forget,
      lastCommit: () => ({
        sql: "SELECT lastCommit AS number FROM servers WHERE epoch = ?",
        values: [this.#epoch],
      }),
      fenced: () => this.#servers.register(this.#epoch),
      isOutdated: () => this.#servers.isOutdated(),
    });
  }

  /** Fences the transaction, and tells the others of it. */
  #ending(number: number): Query {
    const fence = [this.#epoch, number];
    const payload = this.#servers.notification(this.#jobs.written, [...this.#kinds]);
    if (payload === undefined) return { sql: "SELECT fence(?, ?)", values: fence };
    const sql = "SELECT fence(?, ?), pg_notify('manyhands ' || current_schema(), ?)";
    return { sql, values: [...fence, payload] };
  }

  #heardServers(live: ReadonlySet<number>): void {
    this.#live = live;
    this.#serversChanged(live);
  }

  /** Reads the usage that other servers added for customers; a reading that fails is made up for by the next. */
  #readUsage(): void {
    if (!this.#closing) this.#commits.write(() => this.#usage.readFull(), { lasting: false }).catch(() => {});
  }

  /** Resumes the deletions and feeds that servers left half-way when they ended. */
  #inherit(): void {
    this.feedAll();
    // After any failure the next end of a server, or the next start, resumes the sweep.
    this.sweepForgotten().catch(() => {});
  }

  #mustBeOpen(): void {
    if (this.#closing)
      throw new PlatformError("SHUTTING_DOWN", "The store is closed: the server is going down.");
  }
}
