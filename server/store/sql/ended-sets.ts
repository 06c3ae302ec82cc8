import type { TaskIndex } from "../../../shared/ids.ts";
import { checksum } from "./checksum.ts";
import type { Database, Query, Step } from "./database.ts";
import { forEachRun } from "./index-runs.ts";
import { IndexSet } from "./index-set.ts";
import type { CachedJob } from "./job-cache.ts";

/** Packs read at a time. */
const stride = 10_000;

interface OutcomeIndexes {
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
}

interface SavedSet {
  readonly lastSeq: number;
  readonly tasks: Uint8Array;
  readonly crc: number | null;
}

interface EndedSet {
  readonly tasks: IndexSet;
  /** Outcomes since the set was saved. */
  unsaved: number;
}

/**
 * The ended tasks of each active job. A task has at most one outcome ([ONCE-1]) because of these sets:
 *
 * - a set is made from the outcomes on disk (their indexes, not their values), and one process owns the directory, so no other
 *   process adds outcomes;
 * - verbs run one after the other, and a verb that records an outcome adds its task at once, so that the next verb of the same
 *   transaction sees it;
 * - a rollback drops every set, and the next use reads the disk again. Between transactions a set therefore equals the disk.
 *
 * A set is saved now and then with the newest sequence number that it covers, so that a restart reads only the later outcomes:
 * without it, 10^6 outcomes that came one at a time take 1 s.
 */
export class EndedSets {
  readonly #db: Database;
  readonly #saveEvery: number;
  /** The sets by the job's number. */
  readonly #sets = new Map<number, EndedSet>();
  readonly #toSave = new Set<CachedJob>();

  /** @param saveEvery outcomes after which a small set is saved again */
  constructor(db: Database, saveEvery: number) {
    this.#db = db;
    this.#saveEvery = saveEvery;
  }

  *of({ number }: CachedJob): Step<IndexSet> {
    return (yield* this.#setOf(number)).tasks;
  }

  /** Counts new outcomes of a job whose set is in memory. @returns whether it is time to {@link save} */
  count(job: CachedJob, outcomes: number): boolean {
    const set = this.#sets.get(job.number)!;
    set.unsaved += outcomes;
    // A page is saved in at most 66 bytes, so saving costs at most 17 bytes and 0.1 µs an outcome, whatever the size of the
    // set.
    return set.unsaved >= Math.max(this.#saveEvery, 4 * set.tasks.pages);
  }

  /** Saves the set with the commit, after all its outcomes are written. */
  save(job: CachedJob): void {
    this.#toSave.add(job);
  }

  /** Removes the tasks of requeued failures from the set, and from its saved form. */
  *reopen(job: CachedJob, indexes: readonly TaskIndex[]): Step<void> {
    const tasks = yield* this.of(job);
    for (const index of indexes) tasks.delete(index);
    job.reopenings++;
    this.save(job);
  }

  /** Adds the outcomes that other servers recorded after a sequence number, if the set is in memory. */
  *readOn({ number }: CachedJob, after: number): Step<void> {
    const set = this.#sets.get(number);
    if (set) yield* this.#readOn(number, set, after);
  }

  /** Asks for outcomes of a job after a sequence number. */
  // oxlint-disable-next-line eslint/class-methods-use-this
  newest({ number }: Pick<CachedJob, "number">, after: number): Query {
    const sql =
      "SELECT seq, first, count, runs FROM outcomePacks WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?";
    return { sql, values: [number, after, stride] };
  }

  /** Drops the set of a job that no verb will need soon. */
  drop({ number }: CachedJob): void {
    this.#sets.delete(number);
  }

  /** Writes the sets to save, inside the transaction and after the outcomes. */
  flush(): void {
    for (const { number, row } of this.#toSave) {
      const set = this.#sets.get(number)!;
      const tasks = set.tasks.encode();
      this.#db.write(
        `INSERT INTO endedSets (job, lastSeq, tasks, crc) VALUES (?, ?, ?, ?)
         ON CONFLICT (job) DO UPDATE SET lastSeq = excluded.lastSeq, tasks = excluded.tasks, crc = excluded.crc`,
        number,
        row.lastSeq,
        tasks,
        checksum([number, row.lastSeq, tasks]),
      );
      set.unsaved = 0;
    }
    this.#toSave.clear();
  }

  /** Drops all sets after a rollback, because they contain outcomes that were rolled back. */
  clear(): void {
    this.#sets.clear();
    this.#toSave.clear();
  }

  *#setOf(number: number): Step<EndedSet> {
    let set = this.#sets.get(number);
    if (!set) {
      set = yield* this.#load(number);
      this.#sets.set(number, set);
    }
    return set;
  }

  /** The saved set; undefined when there is none, or a damaged one: the outcomes themselves say the same. */
  *#saved(number: number): Step<SavedSet | undefined> {
    const saved = yield* this.#db.get<SavedSet>(
      "SELECT lastSeq, tasks, crc FROM endedSets WHERE job = ?",
      number,
    );
    if (!saved) return undefined;
    const { lastSeq, tasks, crc } = saved;
    return crc === null || crc === checksum([number, lastSeq, tasks]) ? saved : undefined;
  }

  *#load(number: number): Step<EndedSet> {
    const saved = yield* this.#saved(number);
    const tasks = saved ? IndexSet.decode(saved.tasks) : new IndexSet();
    const set = { tasks, unsaved: 0 };
    yield* this.#readOn(number, set, saved?.lastSeq ?? 0);
    return set;
  }

  /** Adds the outcomes after a sequence number. */
  *#readOn(number: number, set: EndedSet, after: number): Step<void> {
    for (let seq = after; ;) {
      const { sql, values } = this.newest({ number }, seq);
      const rows = yield* this.#db.all<OutcomeIndexes>(sql, ...values);
      for (const { first, count, runs } of rows) {
        forEachRun(first, count, runs, (from, length) => set.tasks.addRange(from, length));
        set.unsaved += count;
      }
      if (rows.length < stride) return;
      seq = rows.at(-1)!.seq;
    }
  }
}
