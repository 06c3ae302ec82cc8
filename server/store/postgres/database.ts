import type { Answer, Database, Query, SqlValue, Step } from "../sql/database.ts";

/** Classes of advisory locks, with the schema as the second key. */
const holdingsLock = 0x4d48_0001;

/** The statements of a transaction, for verbs. Statements without an answer wait for the next one with an answer, or for the commit. */
export class PostgresDatabase implements Database {
  changes = 0;
  #waiting: Query[] = [];
  readonly #held = new Set<string>();

  *run(sql: string, ...values: SqlValue[]): Step<number> {
    const { changed } = yield { sql, values };
    this.changes += changed;
    return changed;
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  *get<Row>(sql: string, ...values: SqlValue[]): Step<Row | undefined> {
    const { rows } = yield { sql, values };
    return rows[0] as Row | undefined;
  }

  *all<Row>(sql: string, ...values: SqlValue[]): Step<Row[]> {
    const { rows } = yield { sql, values };
    return rows as Row[];
  }

  write(sql: string, ...values: SqlValue[]): void {
    this.changes++;
    this.#waiting.push({ sql, values });
  }

  holdings(mode: "share" | "change"): void {
    if (this.#held.has(mode) || this.#held.has("change")) return;
    this.#held.add(mode);
    const lock = mode === "share" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock";
    this.#waiting.push({ sql: `SELECT ${lock}(${holdingsLock}, hashtext(current_schema()))`, values: [] });
  }

  /** The statements that wait, which then wait no longer. */
  take(): Query[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  /** Forgets the locks and waiting queries of the transaction that has ended. */
  ended(): void {
    this.#waiting = [];
    this.#held.clear();
  }
}

/** Runs a step to its end. A step that asks nothing costs no turn of the event loop. */
export function drive<T>(step: Step<T>, execute: (query: Query) => Answer | Promise<Answer>): T | Promise<T> {
  const iterator = step[Symbol.iterator]();
  const first = iterator.next();
  return first.done === true ? first.value : goOn(iterator, first.value, execute);
}

async function goOn<T>(
  iterator: Iterator<Query, T, Answer>,
  query: Query,
  execute: (query: Query) => Answer | Promise<Answer>,
): Promise<T> {
  for (let asked = query; ;) {
    const next = iterator.next(await execute(asked));
    if (next.done === true) return next.value;
    asked = next.value;
  }
}
