import type { SqlValue, Step } from "../../server/store/sql/database.ts";
import { SqliteDatabase } from "../../server/store/sqlite/database.ts";
import { DatabaseSync } from "../../system/sqlite.ts";
import type { Process } from "./virtual-time.ts";
import type { Trace } from "./trace.ts";

/** Primary result codes of SQLite. */
const ioError = 10;
const full = 13;

/** Chances of the faults of a disk, each for a call that may suffer it. */
export interface DiskRates {
  /** A read or write statement fails (I/O error). */
  readonly statement: number;
  /** COMMIT fails, and nothing of it is on disk. */
  readonly commit: number;
  /** The server dies in COMMIT: before a row is on disk, or after all rows are and before a client or customer is told. */
  readonly crashBefore: number;
  readonly crashAfter: number;
  /**
   * COMMIT fails although all of it is on disk (a flush whose error came late), and the server dies before its next transaction: what
   * it refused has happened.
   */
  readonly inDoubt: number;
}

const sound: DiskRates = { statement: 0, commit: 0, crashBefore: 0, crashAfter: 0, inDoubt: 0 };

/** The end of a process in the middle of its work. */
export class CrashError extends Error {
  override readonly name = "CrashError";
}

/**
 * The disk of a server: an SQLite database in memory, which outlives the processes that open it. A crash loses rows that were not committed:
 * SQLite discards a torn transaction when it opens the log.
 */
export class Disk {
  readonly connection = new DatabaseSync(":memory:");
  rates = sound;
  isFull = false;
  /** The process whose last commit is in doubt. */
  #doubting: Process | undefined;
  readonly #random: () => number;
  readonly #trace: Trace;
  /** Ends the process that has the database open. */
  readonly #crash: (process: Process, delayMs: number) => void;

  constructor(random: () => number, trace: Trace, crash: (process: Process, delayMs: number) => void) {
    this.#random = random;
    this.#trace = trace;
    this.#crash = crash;
  }

  /** Runs `action` without faults. */
  async soundly<T>(action: () => Promise<T>): Promise<T> {
    const { rates, isFull } = this;
    this.mend();
    try {
      return await action();
    } finally {
      this.rates = rates;
      this.isFull = isFull;
    }
  }

  mend(): void {
    this.rates = sound;
    this.isFull = false;
  }

  /** @throws Error as SQLite's */
  beforeStatement(isWrite: boolean): void {
    if (this.isFull && isWrite) {
      this.#trace.fault("disk full");
      throw sqliteError(full, "database or disk is full");
    }
    if (this.#happens(this.rates.statement)) {
      this.#trace.fault("statement failed");
      throw sqliteError(ioError, "disk I/O error");
    }
  }

  /** @throws CrashError when the process may begin no other transaction */
  begin(process: Process): void {
    if (this.#doubting !== process) return;
    this.#crash(process, 0);
    throw new CrashError("killed after a commit in doubt");
  }

  commit(process: Process): void {
    const { commit, crashBefore, crashAfter, inDoubt } = this.rates;
    if (this.#happens(commit)) {
      this.#trace.fault("commit failed");
      throw sqliteError(ioError, "disk I/O error");
    }
    if (this.#happens(crashBefore)) {
      this.#trace.fault("crash before commit");
      this.connection.exec("ROLLBACK");
      this.#crash(process, 0);
      throw new CrashError("killed before the commit");
    }
    this.connection.exec("COMMIT");
    if (this.#happens(crashAfter)) {
      this.#trace.fault("crash after commit");
      this.#crash(process, 0);
      throw new CrashError("killed after the commit");
    }
    if (this.#happens(inDoubt)) {
      this.#trace.fault("commit in doubt");
      this.#doubting = process;
      this.#crash(process, 20);
      throw sqliteError(ioError, "disk I/O error");
    }
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random() < chance;
  }
}

/** The database of a disk as one process has it open. */
export class FaultyDatabase extends SqliteDatabase {
  readonly #disk: Disk;
  readonly #process: Process;

  constructor(disk: Disk, process: Process) {
    super(disk.connection);
    this.#disk = disk;
    this.#process = process;
  }

  override write(sql: string, ...values: SqlValue[]): void {
    this.#mustRun();
    this.#disk.beforeStatement(true);
    super.write(sql, ...values);
  }

  override run(sql: string, ...values: SqlValue[]): Step<number> {
    this.#mustRun();
    this.#disk.beforeStatement(true);
    return super.run(sql, ...values);
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  override get<Row>(sql: string, ...values: SqlValue[]): Step<Row | undefined> {
    this.#mustRun();
    this.#disk.beforeStatement(false);
    return super.get<Row>(sql, ...values);
  }

  override all<Row>(sql: string, ...values: SqlValue[]): Step<Row[]> {
    this.#mustRun();
    this.#disk.beforeStatement(false);
    return super.all<Row>(sql, ...values);
  }

  override exec(sql: string): void {
    this.#mustRun();
    if (sql === "BEGIN IMMEDIATE") this.#disk.begin(this.#process);
    if (sql === "COMMIT") return this.#disk.commit(this.#process);
    super.exec(sql);
  }

  /** The next process opens the same database. */
  override close(): void {}

  #mustRun(): void {
    if (!this.#process.isAlive) throw new CrashError("this process was killed");
  }
}

function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode });
}
