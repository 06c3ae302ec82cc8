import { backup } from "../../../system/sqlite.ts";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Database, Step, SqlValue } from "../sql/database.ts";

/** A step that has its result already. */
class Ready<T> implements IterableIterator<never, T> {
  readonly #result: { done: true; value: T };

  constructor(value: T) {
    this.#result = { done: true, value };
  }

  next(): IteratorResult<never, T> {
    return this.#result;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** Pages of one step of a copy: verbs wait for it for about 1 ms. */
const pagesAtOnce = 256;

/** A SQLite connection that keeps every statement prepared: a verb has its SQL in place and pays for parsing once. */
export class SqliteDatabase implements Database {
  changes = 0;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  write(sql: string, ...values: SqlValue[]): void {
    this.changes += Number(this.#statement(sql).run(...values).changes);
  }

  run(sql: string, ...values: SqlValue[]): Step<number> {
    const changed = Number(this.#statement(sql).run(...values).changes);
    this.changes += changed;
    return new Ready(changed);
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  get<Row>(sql: string, ...values: SqlValue[]): Step<Row | undefined> {
    return new Ready(this.#statement(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SqlValue[]): Step<Row[]> {
    return new Ready(this.#statement(sql).all(...values) as Row[]);
  }

  /** Verbs of one process run one after the other. */
  holdings(): void {}

  /** Runs several statements without values: schema, pragmas, transactions. */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  get inTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /**
   * Copies the database to a file, in steps of another thread; rows that this connection writes meanwhile are in the copy. A transaction may be
   * open in `between` alone, which is called between the steps: a step beside a transaction fails ("not an error").
   * @param between - gets the share that is copied, 0 … 1
   */
  async backup(file: string, between: (share: number) => void): Promise<void> {
    await backup(this.#connection, file, {
      rate: pagesAtOnce,
      progress: ({ totalPages, remainingPages }) => between(1 - remainingPages / Math.max(1, totalPages)),
    });
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      // SQLite locks the whole database, and has no words for rows.
      statement = this.#connection.prepare(sql.replace(/ FOR UPDATE$/, ""));
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
