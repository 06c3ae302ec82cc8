import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { Answer, Query, Step } from "../sql/database.ts";
import { Connection, type Target } from "./connection.ts";
import { drive, type PostgresDatabase } from "./database.ts";
import {
  isConnectionLost,
  isDatabaseFailure,
  isFenced,
  isMisfit,
  isPassing,
  isUnreachable,
  storeError,
} from "./failure.ts";
import { lockJobs } from "./shared-jobs.ts";

interface Waiting {
  readonly verb: () => Step<unknown>;
  readonly job: JobId | undefined;
  /** Rows, such as tasks, that the verb writes. */
  readonly rows: number;
  /** Whether the effect has to be on disk, and not only seen by the other servers. */
  readonly lasting: boolean;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: PlatformError) => void;
}

/** Actions around the verbs of a transaction. */
interface Hooks {
  /** Grows with every change of a verb that is written at the end of the transaction. */
  changes(): number;
  /** Called before each transaction. */
  beginning(): void;
  /** Queries whose answers are likely to be wanted once jobs are locked; they change nothing. */
  ahead(ids: readonly JobId[]): Query[];
  /** Called with the locked jobs of the verbs. */
  locked(ids: readonly JobId[], heads: readonly unknown[]): Step<void>;
  /** Called just before the COMMIT of a number. @returns the last statement, which has no bearing on the verbs */
  beforeCommit(number: number): Query;
  /** Asks for the number of this server's last commit. */
  lastCommit(): Query;
  /** Called after COMMIT, before the verbs resolve. */
  committed(): void;
  rolledBack(): void;
  /** Called when the session was lost: nothing that is remembered need hold. */
  lost(): void;
  /** Called after this server was declared dead. Resolves when the server has a new epoch. */
  fenced(): Promise<void>;
  /** Whether a newer version has migrated the database. */
  isOutdated(): Promise<boolean>;
}

/** A transaction takes verbs until it has this many rows, so that its locks are short. */
const enoughRows = 20_000;

/** Tries of a transaction that another server's crossed. */
const maxTries = 20;

/** Verbs wait this long for a database that is down, or restarts. */
const patienceMs = 10_000;
const reconnectMs = 100;

const begin: Query = { sql: "BEGIN ISOLATION LEVEL READ COMMITTED", values: [] };
const xid: Query = { sql: "SELECT pg_current_xact_id()::text AS xid", values: [] };
/** The same for a transaction whose COMMIT need not wait for the disk. */
const lazyXid: Query = {
  sql: "SELECT pg_current_xact_id()::text AS xid, set_config('synchronous_commit', 'off', true)",
  values: [],
};
const commit: Query = { sql: "COMMIT", values: [] };

/** The reply to a COMMIT got lost. */
class UnknownOutcome extends Error {
  readonly xid: string;

  constructor(transaction: string, cause: unknown) {
    super("The reply to a COMMIT got lost.", { cause });
    this.xid = transaction;
  }
}

/**
 * Group commit: verbs that arrive while a transaction is under way share the next one. A transaction takes two round trips, unless its
 * verbs read: one that begins and locks, one that writes and commits.
 *
 * A transaction that another server's crossed is tried again as a whole. When the session is lost, the transaction is tried again on a
 * new one, after PostgreSQL told whether the lost one was committed. Other failures are as in the commit of SQLite: each verb runs again
 * in a transaction of its own.
 */
export class Commits {
  readonly #db: PostgresDatabase;
  readonly #target: Target;
  readonly #hooks: Hooks;
  #connection: Connection | undefined;
  #waiting: Waiting[] = [];
  /** Number of transactions so far. */
  #count = 0;
  #isRunning = false;
  #idle: (() => void)[] = [];

  constructor(db: PostgresDatabase, target: Target, hooks: Hooks) {
    this.#db = db;
    this.#target = target;
    this.#hooks = hooks;
  }

  /** Queues a write verb. Resolves with the verb's result when the result is committed. */
  write<T>(
    verb: () => Step<T>,
    { job, rows = 1, lasting = true }: { job?: JobId | undefined; rows?: number; lasting?: boolean },
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ verb, job, rows, lasting, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      setImmediate(() => void this.#run());
    });
  }

  /** Resolves when no verb waits and no transaction is under way. */
  async drained(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    await this.drained();
    await this.#connection?.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#commit(this.#takeGroup());
    this.#isRunning = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #takeGroup(): Waiting[] {
    let rows = 0;
    let count = 0;
    while (count < this.#waiting.length && rows < enoughRows) rows += this.#waiting[count++]!.rows;
    return this.#waiting.splice(0, count);
  }

  /** Runs verbs in one transaction, and settles them. */
  async #commit(group: readonly Waiting[]): Promise<void> {
    const until = performance.now() + patienceMs;
    for (let tries = 1; ; tries++) {
      const settled: (() => void)[] = [];
      try {
        await this.#transact(group, settled);
        this.#settle(settled);
        return;
      } catch (error) {
        if (
          error instanceof UnknownOutcome &&
          (await this.#wasCommitted(error.xid, until).catch(() => false))
        ) {
          this.#settle(settled);
          this.#hooks.lost();
          return;
        }
        await this.#rollBack();
        const isLost = error instanceof UnknownOutcome || isConnectionLost(error) || isUnreachable(error);
        if (isLost) this.#hooks.lost();
        if (isLost ? performance.now() < until : isPassing(error) && tries < maxTries) {
          await wait(isLost ? reconnectMs : Math.random() * tries);
          continue;
        }
        return await this.#failed(group, error instanceof UnknownOutcome ? error.cause : error);
      }
    }
  }

  async #transact(group: readonly Waiting[], settled: (() => void)[]): Promise<void> {
    // Memory may be newer than a database that crashed.
    if (this.#connection?.isLost) this.#hooks.lost();
    const connection = await this.#open();
    const execute = async (query: Query): Promise<Answer> =>
      (await connection.run([...this.#db.take(), query])).at(-1)!;
    this.#hooks.beginning();
    const jobs = [...new Set(group.flatMap(({ job }) => job ?? []))];
    const opening = [begin, group.some(({ lasting }) => lasting) ? xid : lazyXid];
    const ahead = this.#hooks.ahead(jobs);
    const locking = jobs.length > 0 ? [lockJobs(jobs), ...ahead] : [];
    const [, named, locked, ...answers] = await connection.run([...opening, ...locking]);
    if (locked) {
      const known = new Map(ahead.map((query, at) => [keyOf(query), answers[at]!]));
      await drive(
        this.#hooks.locked(jobs, locked.rows),
        (query) => known.get(keyOf(query)) ?? execute(query),
      );
    }
    for (const waiting of group) settled.push(await this.#try(waiting, execute));
    const ending = this.#hooks.beforeCommit(++this.#count);
    const last = [...this.#db.take(), ending, commit];
    try {
      const ended = (await connection.run(last)).at(-1) as Answer & { command?: string };
      if (ended.command !== "COMMIT") throw new Error(`COMMIT ended as ${ended.command}.`);
    } catch (error) {
      throw isConnectionLost(error)
        ? new UnknownOutcome((named!.rows[0] as { xid: string }).xid, error)
        : error;
    }
  }

  async #try(
    { verb, resolve, reject }: Waiting,
    execute: (query: Query) => Promise<Answer>,
  ): Promise<() => void> {
    const changes = this.#db.changes + this.#hooks.changes();
    try {
      const value = (await drive(verb(), execute)) as never;
      return () => resolve(value);
    } catch (error) {
      const harmless = error instanceof PlatformError && changes === this.#db.changes + this.#hooks.changes();
      if (!harmless) throw error;
      return () => reject(error);
    }
  }

  #settle(settled: readonly (() => void)[]): void {
    this.#db.ended();
    this.#hooks.committed();
    for (const settle of settled) settle();
  }

  async #rollBack(): Promise<void> {
    this.#db.ended();
    this.#hooks.rolledBack();
    try {
      if (this.#connection?.isLost === false) await this.#connection.script("ROLLBACK");
    } catch {
      // A session that cannot roll back is given up, and the transaction with it.
      await this.#connection?.close();
      this.#connection = undefined;
    }
  }

  async #failed(group: readonly Waiting[], error: unknown): Promise<void> {
    if (isFenced(error)) await this.#hooks.fenced().catch(() => {});
    const isOutdated = isMisfit(error) && (await this.#hooks.isOutdated());
    if (
      group.length < 2 ||
      isFenced(error) ||
      isOutdated ||
      isConnectionLost(error) ||
      isUnreachable(error) ||
      isDatabaseFailure(error)
    ) {
      for (const { reject } of group) reject(storeError(error, isOutdated));
      return;
    }
    for (const waiting of group) await this.#commit([waiting]);
  }

  async #open(): Promise<Connection> {
    if (!this.#connection || this.#connection.isLost) this.#connection = await Connection.open(this.#target);
    return this.#connection;
  }

  /**
   * Asks whether the last transaction, whose session was lost, was committed: waits until PostgreSQL no longer works on it, and then
   * reads the rows that the transaction would have written. The status of the transaction alone would not do, because a crash gives numbers of transactions anew.
   */
  async #wasCommitted(transaction: string, until: number): Promise<boolean> {
    while (performance.now() < until) {
      try {
        const connection = await this.#open();
        if ((await statusOf(connection, transaction)) !== "in progress") {
          const [answer] = await connection.run([this.#hooks.lastCommit()]);
          return (answer!.rows[0] as { number: number } | undefined)?.number === this.#count;
        }
      } catch (error) {
        // The next session is asked.
        if (!isConnectionLost(error) && !isUnreachable(error)) throw error;
      }
      await wait(reconnectMs);
    }
    return false;
  }
}

function keyOf({ sql, values }: Query): string {
  return JSON.stringify([sql, values]);
}

/** The status of a transaction; undefined when PostgreSQL knows none of this number, because it crashed. */
async function statusOf(connection: Connection, transaction: string): Promise<string | undefined> {
  try {
    const [row] = await connection.query<{ status: string | null }>(
      "SELECT pg_xact_status(?::xid8) AS status",
      transaction,
    );
    return row?.status ?? undefined;
  } catch (error) {
    if (isConnectionLost(error)) throw error;
    return undefined;
  }
}
