import { PlatformError } from "../../../shared/errors.ts";
import type { SqliteDatabase } from "./database.ts";
import { isDiskFailure, storeError } from "./failure.ts";
import { Pacing, tickMs } from "../sql/pacing.ts";

interface Waiting {
  readonly verb: () => unknown;
  /** Rows, such as tasks, that the verb writes. */
  readonly rows: number;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: PlatformError) => void;
}

/** Actions around the verbs of a transaction. */
interface Hooks {
  /** Grows with every change of a verb that is written at the end of the transaction. */
  changes(): number;
  /** Called just before COMMIT. */
  beforeCommit(): void;
  /** Called after COMMIT, before the verbs resolve. */
  committed(): void;
  rolledBack(): void;
}

/**
 * A transaction takes verbs for at most this long, so that sockets are served in between: 25 ms of verbs are some 3,000 tasks,
 * while a commit costs 0.12-0.19 ms.
 */
const transactionMs = 25;

/**
 * Group commit: write verbs of one turn of the event loop share one transaction and one flush to disk. SQLite is synchronous,
 * so during a commit the sockets collect the verbs of the next; when those are few, `Pacing` delays that commit by a few
 * milliseconds.
 *
 * When the disk fails, every verb of the transaction is refused, and later verbs are tried in the next transaction.
 *
 * There are no savepoints, because verbs refuse before they write. When a verb breaks this rule, or fails for another reason,
 * the whole group is rolled back and each verb runs again in a transaction of its own.
 */
export class GroupCommit {
  readonly #db: SqliteDatabase;
  readonly #hooks: Hooks;
  readonly #pacing = new Pacing();
  #waiting: Waiting[] = [];
  /** Rows of all waiting verbs. */
  #rows = 0;
  #scheduled = false;
  #isHeld = false;
  #idle: (() => void)[] = [];

  constructor(db: SqliteDatabase, hooks: Hooks) {
    this.#db = db;
    this.#hooks = hooks;
  }

  /** Queues a write verb that writes about `rows` rows. Resolves with the verb's result when the result is on disk. */
  write<T>(verb: () => T, rows = 1): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ verb, rows, resolve, reject });
      this.#rows += rows;
      this.#schedule();
    });
  }

  /** Holds all transactions back, but for those of {@link GroupCommit.letThrough}, until the returned function is called. */
  hold(): () => void {
    this.#isHeld = true;
    return () => {
      this.#isHeld = false;
      if (this.#waiting.length > 0) this.#schedule();
    };
  }

  /** Runs the next transaction, if any verb waits, although transactions are held. */
  letThrough(): void {
    if (this.#waiting.length > 0) this.#take();
  }

  /** Resolves when no verb waits. */
  async drained(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#isHeld) return;
    this.#scheduled = true;
    if (this.#pacing.shouldPause(performance.now(), this.#rows)) this.#pause();
    else setImmediate(() => this.#turn());
  }

  #pause(): void {
    const before = this.#waiting.length;
    setTimeout(() => {
      const arrived = this.#waiting.length - before;
      if (this.#pacing.shouldGoOn(performance.now(), arrived, this.#rows)) this.#pause();
      else this.#turn();
    }, tickMs);
  }

  #turn(): void {
    this.#scheduled = false;
    if (!this.#isHeld) this.#take();
  }

  #take(): void {
    const group = this.#waiting;
    this.#waiting = [];
    const rest = this.#commit(group);
    this.#waiting = [...rest, ...this.#waiting];
    this.#rows = 0;
    for (const { rows } of this.#waiting) this.#rows += rows;
    this.#pacing.ended(performance.now());
    if (this.#waiting.length > 0) return this.#schedule();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Runs verbs in one transaction until its time is over. @returns the verbs for the next transaction */
  #commit(group: readonly Waiting[]): readonly Waiting[] {
    const settled: (() => void)[] = [];
    let taken = 0;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const until = performance.now() + transactionMs;
      do settled.push(this.#run(group[taken++]!));
      while (taken < group.length && performance.now() < until);
      this.#hooks.beforeCommit();
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      // When BEGIN fails no verb has run, and another try in this turn would fail as well.
      const failed = taken === 0 ? group : group.slice(0, taken);
      this.#failed(failed, error);
      return group.slice(failed.length);
    }
    this.#hooks.committed();
    for (const settle of settled) settle();
    return group.slice(taken);
  }

  #run({ verb, resolve, reject }: Waiting): () => void {
    const changes = this.#db.changes + this.#hooks.changes();
    try {
      const value = verb() as never;
      return () => resolve(value);
    } catch (error) {
      const harmless = error instanceof PlatformError && changes === this.#db.changes + this.#hooks.changes();
      if (!harmless) throw error;
      return () => reject(error);
    }
  }

  #failed(group: readonly Waiting[], error: unknown): void {
    // The disk failed (or BEGIN, so that no verb ran), or the verb is alone in its group: a second try would not help.
    if (group.length < 2 || isDiskFailure(error)) {
      for (const { reject } of group) reject(storeError(error));
      return;
    }
    for (const waiting of group) this.#commit([waiting]);
  }

  #rollBack(): void {
    try {
      // SQLite rolls back by itself after some disk failures.
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // The first failure is the one to report; a database that cannot roll back fails the next BEGIN.
    }
    this.#hooks.rolledBack();
  }
}
