import type { TaskIndex } from "../../../shared/ids.ts";
import type { Database } from "./database.ts";
import { forEachRun } from "./index-runs.ts";
import { IndexSet } from "./index-set.ts";
import type { CachedJob } from "./job-cache.ts";

interface OutcomeIndexes {
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
}

interface EndedSet {
  readonly tasks: IndexSet;
  /** Outcomes since it was saved. */
  unsaved: number;
}

/**
 * Which tasks of the jobs at work have an outcome. This set is what makes an outcome the only one of its task ([ONCE-1]):
 *
 * - it is made from the outcomes on disk (their indexes, not their values), and one process owns the directory, so nobody
 *   else adds any;
 * - verbs run one after the other, and one that records an outcome adds its task at once, so that the next verb of the
 *   same transaction sees it;
 * - a rollback drops every set, and the next use reads again what is on disk. Between transactions a set therefore equals
 *   the disk.
 *
 * So that a restart need not read 10^6 outcomes that came one at a time (1 s), the set is saved now and then, with the
 * newest sequence number it covers; only what came later is read (`bench/store.ts`: 10^6 tasks ready in a few ms).
 */
export class EndedSets {
  readonly #db: Database;
  readonly #saveEvery: number;
  /** By the job's number. */
  readonly #sets = new Map<number, EndedSet>();
  readonly #toSave = new Set<CachedJob>();

  /** @param saveEvery outcomes after which a small set is saved again */
  constructor(db: Database, saveEvery: number) {
    this.#db = db;
    this.#saveEvery = saveEvery;
  }

  of({ number }: CachedJob): IndexSet {
    return this.#setOf(number).tasks;
  }

  /** Counts new outcomes; true when it is time to {@link save}. */
  count(job: CachedJob, outcomes: number): boolean {
    const set = this.#setOf(job.number);
    set.unsaved += outcomes;
    // A page is saved in at most 66 bytes, so saving costs 17 bytes an outcome and 0.1 µs at most, however large the set.
    return set.unsaved >= Math.max(this.#saveEvery, 4 * set.tasks.pages);
  }

  /** Saves the set with the commit, when all of its outcomes are written. */
  save(job: CachedJob): void {
    this.#toSave.add(job);
  }

  /** Takes the tasks of requeued failures out: of the set, and of what is saved of it. */
  reopen(job: CachedJob, indexes: readonly TaskIndex[]): void {
    const tasks = this.of(job);
    for (const index of indexes) tasks.delete(index);
    this.save(job);
  }

  /** Nobody will ask for this job soon. */
  drop({ number }: CachedJob): void {
    this.#sets.delete(number);
  }

  /** Writes what is to be saved, inside the transaction and after the outcomes. */
  flush(): void {
    for (const { number, row } of this.#toSave) {
      const set = this.#setOf(number);
      this.#db.run(
        `INSERT INTO endedSets (job, lastSeq, tasks) VALUES (?, ?, ?)
         ON CONFLICT (job) DO UPDATE SET lastSeq = excluded.lastSeq, tasks = excluded.tasks`,
        number,
        row.lastSeq,
        set.tasks.encode(),
      );
      set.unsaved = 0;
    }
    this.#toSave.clear();
  }

  /** After a rollback: what was added may never have happened. */
  clear(): void {
    this.#sets.clear();
    this.#toSave.clear();
  }

  #setOf(number: number): EndedSet {
    let set = this.#sets.get(number);
    if (!set) {
      set = this.#load(number);
      this.#sets.set(number, set);
    }
    return set;
  }

  #load(number: number): EndedSet {
    const saved = this.#db.get<{ lastSeq: number; tasks: Uint8Array }>(
      "SELECT lastSeq, tasks FROM endedSets WHERE job = ?",
      number,
    );
    const tasks = saved ? IndexSet.decode(saved.tasks) : new IndexSet();
    let unsaved = 0;
    for (const { first, count, runs } of this.#db.iterate<OutcomeIndexes>(
      "SELECT first, count, runs FROM outcomePacks WHERE job = ? AND seq > ? ORDER BY seq",
      number,
      saved?.lastSeq ?? 0,
    )) {
      forEachRun(first, count, runs, (from, length) => tasks.addRange(from, length));
      unsaved += count;
    }
    return { tasks, unsaved };
  }
}
