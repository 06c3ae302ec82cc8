/** A value of a statement, or of a column. */
export type SqlValue = string | number | Uint8Array | null;

/** A statement for which a step waits. */
export interface Query {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** The rows of a statement, and the number of rows that the statement changed. */
export interface Answer {
  readonly rows: readonly unknown[];
  readonly changed: number;
}

/**
 * A verb under way: yields statements and is resumed with their answers. One text of each verb therefore runs on SQLite, which answers at
 * once and never lets a step yield, and on PostgreSQL, whose answers take a round trip.
 */
export type Step<T> = Iterable<Query, T, Answer>;

/**
 * A connection as the verbs see it. Statements are in the SQL that SQLite and PostgreSQL share: `?` and `?1` for values, ON CONFLICT,
 * CASE; an engine translates the rest. A name in camelCase is the name of a table or column.
 */
export interface Database {
  /** Number of changes so far: a caller can compare it to see whether a verb wrote before it threw. */
  readonly changes: number;
  /** Runs a statement. @returns the number of changed rows */
  run(sql: string, ...values: SqlValue[]): Step<number>;
  /** The first row, or undefined. The caller states the type of the row next to its SQL. */
  get<Row>(sql: string, ...values: SqlValue[]): Step<Row | undefined>;
  all<Row>(sql: string, ...values: SqlValue[]): Step<Row[]>;
  /** Runs a statement whose answer no verb needs: before the next statement, or with the commit. */
  write(sql: string, ...values: SqlValue[]): void;
  /**
   * Keeps blobs and kernels, and who has them, until the commit: `share` as they are for verbs that refer to them, `change` for the one verb
   * that takes some away. Nothing to do where one process owns the database.
   */
  holdings(mode: "share" | "change"): void;
}

/** Runs a step that never waits. */
export function finish<T>(step: Step<T>): T {
  const next = step[Symbol.iterator]().next();
  if (next.done !== true) throw new Error("A step waited for a statement where none can wait.");
  return next.value;
}
