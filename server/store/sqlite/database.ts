import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

/**
 * A SQLite connection that keeps every statement prepared: a verb names its SQL where it uses it, and pays for parsing
 * once.
 */
export class Database {
  /** Rows changed so far, so that a caller can tell whether a verb wrote before it threw. */
  changes = 0;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  /** Runs a statement and tells how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    const changed = Number(this.#statement(sql).run(...values).changes);
    this.changes += changed;
    return changed;
  }

  /** The first row, or undefined. The caller states the row's shape: it stands beside the SQL. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** Rows one at a time, for readers that stop early. Do not write or yield to the event loop in between. */
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
