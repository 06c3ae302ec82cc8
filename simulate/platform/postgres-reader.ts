import type { DatabaseSync } from "../../system/sqlite.ts";
import { noQuotas } from "../../server/store/quotas.ts";
import { PostgresDatabase } from "../../server/store/postgres/database.ts";
import { SharedClaims } from "../../server/store/postgres/shared-claims.ts";
import { translate } from "../../server/store/postgres/translate.ts";
import { SharedUsage } from "../../server/store/postgres/usage.ts";
import type { Answer, Query, Step } from "../../server/store/sql/database.ts";
import { EndedSets } from "../../server/store/sql/ended-sets.ts";
import { IndexSet } from "../../server/store/sql/index-set.ts";
import { JobCache } from "../../server/store/sql/job-cache.ts";
import { OutcomePacks } from "../../server/store/sql/outcome-packs.ts";
import { ProvisionalPacks } from "../../server/store/sql/provisional-packs.ts";
import { SqlStore, type Verb } from "../../server/store/sql/sql-store.ts";
import { TaskPacks } from "../../server/store/sql/task-packs.ts";
import type { Transaction } from "../../server/store/sql/transaction.ts";
import type { Store } from "../../server/store/store.ts";
import { must } from "./ledger.ts";
import { prepare } from "./postgres-statements.ts";

/** Reads committed rows of the model of PostgreSQL, in no time. */
class Reader extends SqlStore {
  protected readonly parts = readingParts();
  readonly #connection: DatabaseSync;

  constructor(connection: DatabaseSync) {
    super();
    this.#connection = connection;
  }

  protected async read<T>(verb: Verb<T>): Promise<T> {
    return answered(verb(readingParts()), (query) => this.#answer(query));
  }

  protected write(): Promise<never> {
    return Promise.reject(new Error("nothing is written by a reader"));
  }

  protected claiming(): Promise<never> {
    return this.write();
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #answer({ sql, values }: Query): Answer {
    const statement = prepare(translate(sql));
    if (statement.kind !== "read") throw new Error(`no reading: ${sql}`);
    const rows = this.#connection.prepare(statement.sql).all(...values);
    return { rows, changed: rows.length };
  }
}

export function readerOf(connection: DatabaseSync): Store {
  return new Reader(connection);
}

/** Checks that no two living servers have claimed a task. @throws Violation */
export function checkClaims(connection: DatabaseSync): void {
  const rows = connection
    .prepare(
      "SELECT job, epoch, tasks FROM claims JOIN servers USING (epoch) WHERE NOT buried ORDER BY job, epoch",
    )
    .all() as unknown as { job: number; epoch: number; tasks: Uint8Array }[];
  const owners = new Map<string, number>();
  for (const { job, epoch, tasks } of rows)
    for (const index of IndexSet.decode(tasks).indexes()) {
      const name = `${job}/${index}`;
      const other = owners.get(name);
      must(
        other === undefined,
        () => `[CLAIM-1] servers ${other} and ${epoch} have both claimed task ${name}`,
      );
      owners.set(name, epoch);
    }
}

function readingParts(): Transaction {
  const db = new PostgresDatabase();
  const ended = new EndedSets(db, 16);
  const onDamage = (): never => {
    throw new Error("damaged data");
  };
  const usage = new SharedUsage(db, noQuotas);
  return {
    db,
    jobs: new JobCache(db, usage),
    tasks: new TaskPacks(db),
    outcomes: new OutcomePacks(db),
    provisional: new ProvisionalPacks(db, ended, onDamage),
    ended,
    usage,
    claims: new SharedClaims(db, { epoch: 0, isGone: () => false, know: () => {} }, ended),
    feed: () => {},
    reopened: new Set(),
    blobUsage: undefined,
    dependents: () => {},
    damaged: onDamage,
    afterCommit: () => {},
    clock: () => 0,
  };
}

/** Runs a step to its end with answers that come at once. */
function answered<T>(step: Step<T>, answer: (query: Query) => Answer): T {
  const iterator = step[Symbol.iterator]();
  let next = iterator.next();
  while (next.done !== true) next = iterator.next(answer(next.value));
  return next.value;
}
