import { DatabaseSync } from "../../system/sqlite.ts";
import { fencedState } from "../../server/store/postgres/failure.ts";
import type { SqlValue } from "../../server/store/sql/database.ts";
import { Violation } from "./ledger.ts";
import { prepare, type Statement } from "./postgres-statements.ts";
import type { Trace } from "./trace.ts";
import { Process, type Step, type VirtualTime } from "./virtual-time.ts";

/** A statement on its way. */
export interface Request {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** The answer of a statement as `pg` tells it. */
export interface Reply {
  readonly rows: readonly unknown[];
  readonly rowCount: number;
  readonly command: string;
  /** Columns; the model sends every value in one form, and names none. */
  readonly fields: readonly never[];
}

/** The client's end of a session. */
export interface SessionClient {
  replied(outcomes: readonly (Reply | Error)[]): void;
  notified(payload: string): void;
  /** The session ended by itself. */
  ended(fatal: Error | undefined): void;
}

/** Chances of the faults of a database. */
export interface DatabaseRates {
  /** A session breaks at a COMMIT, before or after it, and there is no reply. */
  readonly commit: number;
  /** The whole database crashes at a COMMIT, before or after it. */
  readonly crash: number;
  /** A notification does not reach a session. */
  readonly notification: number;
}

export const soundDatabase: DatabaseRates = { commit: 0, crash: 0, notification: 0 };

/** The log is flushed this long after a commit that did not wait for it (`wal_writer_delay`). */
const flushMs = 200;

/**
 * A model of PostgreSQL for several servers: sessions, transactions at READ COMMITTED, locks of rows of `jobs` and advisory locks,
 * notifications, asynchronous commits that a crash loses, numbers of transactions that a crash gives anew. Tables are in one SQLite
 * database in memory. One transaction at a time may have written: statements of others wait for its end, which PostgreSQL lets pass
 * each other where they touch other rows.
 */
export class PostgresModel {
  readonly process = new Process("postgres");
  readonly connection = new DatabaseSync(":memory:");
  rates = soundDatabase;
  isUp = true;
  isFull = false;
  /** Called when committed data is whole: no transaction is under way that wrote. */
  onCommitted: () => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly sessions = new Set<Session>();
  /** The session whose transaction has written. */
  writer: Session | undefined;
  readonly #trace: Trace;
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  readonly #waiting = new Set<Session>();
  #isWaking = false;
  /** Whether a transaction has ended since the waiting sessions last tried. */
  #hasFreed = false;
  /** Whether there are commits that a crash would lose. */
  #hasUnflushed = false;
  #xid = 700;
  #flushedXid = 700;
  readonly #statuses = new Map<number, "in progress" | "committed" | "aborted">();
  #downUntil = 0;

  constructor(time: VirtualTime, random: () => number, trace: Trace) {
    this.time = time;
    this.random = random;
    this.#trace = trace;
    this.connection.function("clock_timestamp", { deterministic: false }, () => Math.round(time.now));
    // As in PostgreSQL, an index has it.
    this.connection.function("jobName", { deterministic: true }, (options) => {
      try {
        return (JSON.parse(String(options)) as { name?: string }).name ?? null;
      } catch {
        return "";
      }
    });
    this.connection.function("words", (text) => JSON.stringify(String(text).split(" ")));
  }

  open(client: SessionClient): Session {
    const session = new Session(this, client);
    this.sessions.add(session);
    return session;
  }

  /** The database goes down, and comes back later. @param isCrash - commits that were not flushed are lost */
  restart(downMs: number, isCrash: boolean): void {
    this.#downUntil = Math.max(this.#downUntil, this.time.now + downMs);
    if (this.isUp) {
      this.isUp = false;
      this.#waiting.clear();
      for (const session of this.sessions) session.abort();
      if (isCrash) this.#lose();
      else this.flush();
      const fatal = isCrash
        ? undefined
        : databaseError("57P01", "terminating connection due to administrator command", "FATAL");
      for (const session of this.sessions) session.end(fatal);
    }
    this.time.schedule(this.process, downMs, "postgres starts", () => {
      if (this.time.now < this.#downUntil) return;
      this.isUp = true;
      this.onCommitted();
    });
  }

  mend(): void {
    this.rates = soundDatabase;
    this.isFull = false;
  }

  happens(chance: number): boolean {
    return chance > 0 && this.random() < chance;
  }

  fault(kind: string): void {
    this.#trace.fault(kind);
  }

  /** Waits for the sessions that hold the locks that a session needs. @throws Error of a deadlock */
  mustWait(session: Session, holders: readonly Session[]): boolean {
    if (holders.length === 0) return false;
    session.waitsFor = holders;
    if (isDeadlock(session)) {
      session.waitsFor = [];
      throw databaseError("40P01", "deadlock detected");
    }
    this.#waiting.add(session);
    return true;
  }

  /** Lets the sessions try again that wait for others. */
  wake(): void {
    this.#hasFreed = true;
    if (this.#isWaking) return;
    this.#isWaking = true;
    while (this.#hasFreed) {
      this.#hasFreed = false;
      for (const session of Array.from(this.#waiting)) {
        if (!this.#waiting.delete(session)) continue;
        session.waitsFor = [];
        session.run();
      }
    }
    this.#isWaking = false;
  }

  forget(session: Session): void {
    this.sessions.delete(session);
    this.#waiting.delete(session);
  }

  beginWriting(session: Session): void {
    if (this.writer === session) return;
    this.writer = session;
    if (!this.#hasUnflushed) this.connection.exec("BEGIN");
    this.#hasUnflushed = true;
    this.connection.exec("SAVEPOINT transaction_under_way");
  }

  endWriting(isCommitted: boolean, isLasting: boolean): void {
    this.writer = undefined;
    if (!isCommitted) this.connection.exec("ROLLBACK TO transaction_under_way");
    this.connection.exec("RELEASE transaction_under_way");
    if (isLasting && isCommitted) this.flush();
    else if (isCommitted) this.time.schedule(this.process, flushMs, "log flushed", () => this.flush());
  }

  flush(): void {
    if (!this.#hasUnflushed || this.writer) return;
    this.connection.exec("COMMIT");
    this.#hasUnflushed = false;
    this.#flushedXid = this.#xid;
  }

  #lose(): void {
    if (this.#hasUnflushed) this.connection.exec("ROLLBACK");
    this.#hasUnflushed = false;
    for (const xid of this.#statuses.keys()) if (xid > this.#flushedXid) this.#statuses.delete(xid);
    this.#xid = this.#flushedXid;
  }

  newXid(): number {
    this.#xid += 1;
    this.#statuses.set(this.#xid, "in progress");
    return this.#xid;
  }

  setStatus(xid: number, status: "committed" | "aborted"): void {
    this.#statuses.set(xid, status);
  }

  statusOf(xid: number): string {
    if (xid > this.#xid) throw databaseError("22023", `transaction ID ${xid} is in the future`);
    return this.#statuses.get(xid) ?? "aborted";
  }

  notify(payload: string): void {
    for (const session of this.sessions) {
      if (!session.listens) continue;
      if (this.happens(this.rates.notification)) this.fault("notification lost");
      else session.client.notified(payload);
    }
  }

  /** Runs one SQL statement. @throws Error as PostgreSQL's */
  execute({ sql, returns, booleans }: Statement & { kind: "read" | "write" }, values: readonly SqlValue[]) {
    try {
      let statement = this.#statements.get(sql);
      if (!statement) this.#statements.set(sql, (statement = this.connection.prepare(sql)));
      if (!returns) return { rows: [], changed: Number(statement.run(...values).changes) };
      const rows = statement.all(...values) as Record<string, unknown>[];
      for (const row of rows)
        for (const name of booleans) row[name] = row[name] === null ? null : row[name] === 1;
      return { rows, changed: rows.length };
    } catch (error) {
      const { errcode = 0, message } = error as Error & { errcode?: number };
      // SQLITE_CONSTRAINT
      if ((errcode & 0xff) === 19) throw databaseError("23505", message);
      throw new Error(`the model of PostgreSQL cannot run "${sql}": ${message}`, { cause: error });
    }
  }
}

/** Whether a session waits for itself. */
function isDeadlock(session: Session): boolean {
  const seen = new Set<Session>();
  const reaches = (from: readonly Session[]): boolean =>
    from.some((one) => {
      if (one === session) return true;
      if (seen.has(one)) return false;
      seen.add(one);
      return reaches(one.waitsFor);
    });
  return reaches(session.waitsFor);
}

/** A session of the database. */
export class Session {
  readonly client: SessionClient;
  listens = false;
  waitsFor: readonly Session[] = [];
  readonly #model: PostgresModel;
  readonly #locks = new Map<string, "share" | "own">();
  readonly #batches: { readonly requests: readonly Request[]; readonly outcomes: (Reply | Error)[] }[] = [];
  #state: "idle" | "open" | "failed" | "ended" = "idle";
  #xid: number | undefined;
  /** Whether the transaction proved that its server lives. */
  #isFenced = false;
  #isLasting = true;
  #notifications: string[] = [];
  #idleTimer: Step | undefined;
  #idleMs = Infinity;

  constructor(model: PostgresModel, client: SessionClient) {
    this.#model = model;
    this.client = client;
  }

  received(requests: readonly Request[]): void {
    if (this.#state === "ended") return;
    this.#batches.push({ requests, outcomes: [] });
    if (this.#batches.length === 1) this.run();
  }

  /** Runs received statements, until a statement has to wait. */
  run(): void {
    if (this.#idleTimer) this.#idleTimer.run = undefined;
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      const { requests, outcomes } = batch;
      while (outcomes.length < requests.length) {
        const outcome = this.#attempt(requests[outcomes.length]!);
        if (outcome === undefined) return;
        outcomes.push(outcome);
      }
      this.#batches.shift();
      this.client.replied(outcomes);
    }
    if ((this.#state === "open" || this.#state === "failed") && this.#idleMs < Infinity)
      this.#idleTimer = this.#model.time.schedule(
        this.#model.process,
        this.#idleMs,
        "idle in transaction",
        () =>
          this.end(
            databaseError("25P03", "terminating connection due to idle-in-transaction timeout", "FATAL"),
          ),
      );
  }

  /** Ends the session, and the transaction with it. */
  end(fatal?: Error): void {
    if (this.#state === "ended") return;
    this.abort();
    this.#state = "ended";
    if (this.#idleTimer) this.#idleTimer.run = undefined;
    this.#model.forget(this);
    this.client.ended(fatal);
    this.#model.wake();
  }

  /** Rolls the transaction back. */
  abort(): void {
    if (this.#state === "open" || this.#state === "failed") this.#finish(false);
  }

  holds(lock: string, mode: "share" | "own"): boolean {
    const held = this.#locks.get(lock);
    return held !== undefined && (held === "own" || mode === "own");
  }

  /** @returns undefined when the session has to wait, or has ended */
  #attempt(request: Request): Reply | Error | undefined {
    try {
      return this.#perform(prepare(request.text), request.values);
    } catch (error) {
      if (!(error instanceof Error) || !("severity" in error)) {
        this.#model.onFailure(error as Error);
        return undefined;
      }
      if (this.#state === "open") this.#state = "failed";
      return error;
    }
  }

  #perform(statement: Statement, values: readonly SqlValue[]): Reply | undefined {
    const model = this.#model;
    const { kind } = statement;
    if (this.#state === "failed" && kind !== "commit" && kind !== "rollback")
      throw databaseError(
        "25P02",
        "current transaction is aborted, commands ignored until end of transaction block",
      );
    switch (kind) {
      case "begin":
        this.#state = "open";
        return reply("BEGIN");
      case "commit":
        return this.#commit();
      case "rollback":
        if (this.#state !== "idle") this.#finish(false);
        return reply("ROLLBACK");
      case "lazily":
        this.#isLasting = false;
        return reply("SET");
      case "idleTimeout":
        this.#idleMs = Number(values[1]);
        return reply("SELECT");
      case "xid":
        this.#xid = model.newXid();
        return reply("SELECT", [{ xid: String(this.#xid) }]);
      case "status":
        return reply("SELECT", [{ status: model.statusOf(Number(values[0])) }]);
      case "constant":
        return reply("SELECT", [statement.row]);
      case "listen":
        this.listens = true;
        return reply("LISTEN");
      case "advisory":
        return this.#lock(`advisory ${statement.lock}`, statement.mode) ? reply("SELECT", [{}]) : undefined;
      case "notify":
        this.#notifications.push(String(values[0]));
        if (this.#state === "idle") this.#finish(true);
        return reply("SELECT", [{}]);
      case "fence":
        return this.#fence(values);
      case "script":
        if (!this.#mayWrite()) return undefined;
        model.connection.exec(statement.sql);
        if (this.#state === "idle") this.#finish(true);
        return reply("CREATE");
      case "lockJobs":
        for (const id of String(values[0]).split(" ").toSorted())
          if (!this.#lock(`job ${id}`, "own")) return undefined;
        return this.#read(statement.read, values);
      case "read":
        return this.#read(statement, values);
      case "write": {
        if (!this.#mayWrite()) return undefined;
        if (model.isFull && statement.grows) {
          model.fault("database full");
          if (this.#state === "idle") this.#finish(false);
          throw databaseError("53100", "could not extend file: No space left on device");
        }
        let answer;
        try {
          answer = model.execute(statement, values);
        } catch (error) {
          if (this.#state === "idle") this.#finish(false);
          throw error;
        }
        if (this.#state === "idle") this.#finish(true);
        return reply("WRITE", answer.rows, answer.changed);
      }
    }
  }

  #read(statement: Statement & { kind: "read" | "write" }, values: readonly SqlValue[]): Reply | undefined {
    const { writer } = this.#model;
    if (writer && writer !== this && this.#model.mustWait(this, [writer])) return undefined;
    const { rows } = this.#model.execute(statement, values);
    return reply("SELECT", rows);
  }

  /** Whether the session may write now. */
  #mayWrite(): boolean {
    const model = this.#model;
    if (model.writer && model.writer !== this && model.mustWait(this, [model.writer])) return false;
    model.beginWriting(this);
    return true;
  }

  #lock(lock: string, mode: "share" | "own"): boolean {
    const holders = [...this.#model.sessions].filter((one) => one !== this && one.holds(lock, mode));
    if (this.#model.mustWait(this, holders)) return false;
    if (this.#locks.get(lock) !== "own") this.#locks.set(lock, mode);
    return true;
  }

  /** Fences the transaction; with a payload it also tells the other servers. */
  #fence([epoch, number, payload]: readonly SqlValue[]): Reply | undefined {
    if (!this.#mayWrite()) return undefined;
    const { changes } = this.#model.connection
      .prepare("UPDATE servers SET lastCommit = ?2 WHERE epoch = ?1 AND NOT buried")
      .run(epoch!, number!);
    if (Number(changes) === 0) {
      this.#model.fault("server fenced");
      throw databaseError(fencedState, `server ${String(epoch)} was declared dead`);
    }
    this.#isFenced = true;
    if (payload !== undefined) this.#notifications.push(String(payload));
    return reply("SELECT", [{}]);
  }

  #commit(): Reply | undefined {
    const model = this.#model;
    if (this.#state === "failed") {
      this.#finish(false);
      return reply("ROLLBACK");
    }
    const isWriter = model.writer === this;
    if (isWriter && this.#xid !== undefined && !this.#isFenced)
      throw new Violation("[SERVERS-8] a server wrote without proving that it was not taken for dead");
    const breaks = model.happens(model.rates.commit);
    const crashes = isWriter && model.happens(model.rates.crash);
    const isDone = !(breaks || crashes) || model.random() < 0.5;
    this.#finish(isDone);
    if (crashes) {
      model.fault(isDone ? "database crashed after commit" : "database crashed before commit");
      model.restart(100 + 3000 * model.random(), true);
      return undefined;
    }
    if (breaks) {
      model.fault(isDone ? "session lost after commit" : "session lost before commit");
      this.end();
      return undefined;
    }
    return reply("COMMIT");
  }

  #finish(isCommitted: boolean): void {
    const model = this.#model;
    const isWriter = model.writer === this;
    if (this.#xid !== undefined) model.setStatus(this.#xid, isCommitted ? "committed" : "aborted");
    if (isWriter) model.endWriting(isCommitted, this.#isLasting);
    this.#locks.clear();
    this.#xid = undefined;
    this.#isFenced = false;
    this.#isLasting = true;
    if (this.#state !== "ended") this.#state = "idle";
    const notifications = this.#notifications;
    this.#notifications = [];
    if (isCommitted) for (const payload of notifications) model.notify(payload);
    if (isWriter && isCommitted) model.onCommitted();
    model.wake();
  }
}

function reply(command: string, rows: readonly unknown[] = [], rowCount = rows.length): Reply {
  return { rows, rowCount, command, fields: [] };
}

/** An error as `pg` makes it of PostgreSQL's. */
export function databaseError(code: string, message: string, severity = "ERROR"): Error {
  return Object.assign(new Error(message), { code, severity });
}
