import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

/** A SQLite connection that keeps every statement prepared: a verb has its SQL in place and pays for parsing once. */
export class Database {
  /** Number of changed rows so far: a caller can compare it to see whether a verb wrote before it threw. */
  changes = 0;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  /** Runs a statement. @returns the number of changed rows */
  run(sql: string, ...values: SQLInputValue[]): number {
    const changed = Number(this.#statement(sql).run(...values).changes);
    this.changes += changed;
    return changed;
  }

  /** The first row, or undefined. The caller states the type of the row next to its SQL. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** Iterates over rows, for readers that stop early. Between two rows the caller must not write or yield to the event loop. */
  iterate<Row>(sql: string, ...values: SQLInputValue[]): IterableIterator<Row> {
    return this.#statement(sql).iterate(...values) as IterableIterator<Row>;
  }

  /** Runs several statements without values: schema, pragmas, transactions. */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  get inTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
