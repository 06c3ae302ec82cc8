import type { TaskIndex } from "../../../shared/ids.ts";
import type { NewOutput, WindowName } from "../store.ts";
import { checksums, examine, type Checksums, type Damage } from "./checksum.ts";
import type { Database, Step } from "./database.ts";
import type { EndedSets } from "./ended-sets.ts";
import { decodeRuns, encodeRuns, forEachRun } from "./index-runs.ts";
import type { CachedJob } from "./job-cache.ts";
import { ProvisionalTasks } from "./provisional-tasks.ts";
import { PackBuilder, ValuePack } from "./value-pack.ts";

/** Outputs of one window that this transaction kept and has not written yet. */
interface Tail {
  readonly job: number;
  readonly window: WindowName;
  readonly at: number;
  readonly indexes: TaskIndex[];
  readonly pack: PackBuilder;
}

interface IndexColumns {
  readonly number: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
}

interface PackColumns extends IndexColumns, Checksums {
  readonly job: number;
  readonly window: number;
  readonly sizes: Uint8Array | null;
  readonly side: string | null;
  readonly outputs: Uint8Array;
}

/** A pack of a window on disk. */
export interface ProvisionalPack {
  readonly number: number;
  /** In order of delivery, as the values. */
  readonly indexes: readonly TaskIndex[];
  /** Undefined when the pack is damaged. */
  readonly values: ValuePack | undefined;
  /** Bytes of the outputs, as far as they are in the pack. */
  readonly bytes: number;
}

/** The place of a result on disk. */
export interface ResultPlace {
  /** The pack's number. */
  readonly pack: number;
  /** Number of values in the pack. */
  readonly count: number;
  readonly position: number;
}

/**
 * The provisional results, in packs of one window each; results that the verbs of a transaction keep in one window share a pack.
 *
 * A result whose task got an outcome otherwise stays in its pack until the window is judged or the job ends. The tasks in memory
 * leave such results out.
 */
export class ProvisionalPacks {
  readonly #db: Database;
  readonly #ended: EndedSets;
  readonly #damaged: (found: Damage) => void;
  /** The tails by the window's number. */
  readonly #tails = new Map<number, Tail>();
  /** The tasks by the job's number. Made when first needed, from the disk. */
  readonly #tasks = new Map<number, ProvisionalTasks>();

  /** @param damaged - called with damaged packs that were read */
  constructor(db: Database, ended: EndedSets, damaged: (found: Damage) => void) {
    this.#db = db;
    this.#ended = ended;
    this.#damaged = damaged;
  }

  /**
   * The tasks with provisional results. A caller that changes them changes the number in the job's row as well. They are read before a
   * result is removed from the disk: after a rollback, which drops them, they would not include that result's task.
   */
  *tasksOf(job: CachedJob): Step<ProvisionalTasks> {
    let tasks = this.#tasks.get(job.number);
    if (!tasks) {
      tasks = job.row.provisional > 0 ? yield* this.#load(job) : new ProvisionalTasks();
      this.#tasks.set(job.number, tasks);
    }
    return tasks;
  }

  /** Adds an output, which is on disk with the commit. */
  add(job: CachedJob, window: WindowName, at: number, { index, output, refs }: NewOutput): void {
    let tail = this.#tails.get(window.number);
    if (!tail || tail.pack.isFullFor(output)) {
      if (tail) this.#write(tail);
      tail = { job: job.number, window, at, indexes: [], pack: new PackBuilder() };
      this.#tails.set(window.number, tail);
    }
    tail.indexes.push(index);
    tail.pack.add(output, refs);
  }

  /** Removes a window. @returns its packs, in order of delivery */
  *take(job: CachedJob, window: number): Step<ProvisionalPack[]> {
    yield* this.tasksOf(job);
    const packs = yield* this.#read(job, window);
    if (packs.length > 0)
      this.#db.write("DELETE FROM provisionalPacks WHERE job = ? AND window = ?", job.number, window);
    return packs;
  }

  /**
   * Removes results of a window, and all results of its damaged packs.
   * @returns the removed indexes, in order of delivery, and the bytes of their outputs
   */
  *remove(
    job: CachedJob,
    window: number,
    indexes: ReadonlySet<TaskIndex>,
  ): Step<{ indexes: TaskIndex[]; bytes: number }> {
    yield* this.tasksOf(job);
    const removed = { indexes: [] as TaskIndex[], bytes: 0 };
    for (const pack of yield* this.#read(job, window)) {
      const gone = pack.values ? pack.indexes.filter((index) => indexes.has(index)) : pack.indexes;
      if (gone.length === 0) continue;
      removed.indexes.push(...gone);
      removed.bytes += this.#rewrite(job, window, pack, new Set(gone));
    }
    return removed;
  }

  /** Removes all results of tasks that have an outcome. @returns the bytes of their outputs */
  *removeOf(job: CachedJob, indexes: ReadonlySet<TaskIndex>): Step<number> {
    this.#writeTailsOf(job);
    const windows = new Set<number>();
    for (const { window, first, count, runs } of yield* this.#db.all<IndexColumns & { window: number }>(
      "SELECT window, first, count, runs FROM provisionalPacks WHERE job = ?",
      job.number,
    ))
      if (decodeRuns(first, count, runs).some((index) => indexes.has(index))) windows.add(window);
    let bytes = 0;
    for (const window of windows) bytes += (yield* this.remove(job, window, indexes)).bytes;
    return bytes;
  }

  /** Removes every result of a job. @returns the bytes of their outputs */
  *removeAll(job: CachedJob): Step<number> {
    this.#writeTailsOf(job);
    this.forget(job);
    const found = yield* this.#db.get<{ bytes: number }>(
      "SELECT coalesce(sum(octet_length(outputs)), 0) AS bytes FROM provisionalPacks WHERE job = ?",
      job.number,
    );
    this.#db.write("DELETE FROM provisionalPacks WHERE job = ?", job.number);
    return found?.bytes ?? 0;
  }

  /** The places of a window's results on disk. */
  *placesOf(job: CachedJob, window: number): Step<Map<TaskIndex, ResultPlace>> {
    const places = new Map<TaskIndex, ResultPlace>();
    for (const { number, first, count, runs } of yield* this.#db.all<IndexColumns>(
      "SELECT number, first, count, runs FROM provisionalPacks WHERE job = ? AND window = ?",
      job.number,
      window,
    )) {
      let position = 0;
      for (const index of decodeRuns(first, count, runs))
        places.set(index, { pack: number, count, position: position++ });
    }
    return places;
  }

  /** The values of a pack on disk; undefined when the pack is damaged, or gone since its place was read. */
  *valuesOf(job: CachedJob, { pack }: ResultPlace): Step<ValuePack | undefined> {
    const columns = yield* this.#db.get<PackColumns>("SELECT * FROM provisionalPacks WHERE number = ?", pack);
    return columns && this.#valuesOf(job, columns);
  }

  /** Drops a job that is removed from the database, or whose results are. */
  forget({ number }: CachedJob): void {
    this.#tasks.delete(number);
    for (const [window, tail] of this.#tails) if (tail.job === number) this.#tails.delete(window);
  }

  /** Writes kept outputs, inside the transaction. */
  flush(): void {
    for (const tail of this.#tails.values()) this.#write(tail);
    this.#tails.clear();
  }

  /** Drops kept outputs after a rollback, and the tasks, which may have such outputs. */
  clear(): void {
    this.#tails.clear();
    this.#tasks.clear();
  }

  *#load(job: CachedJob): Step<ProvisionalTasks> {
    const tasks = new ProvisionalTasks();
    const ended = yield* this.#ended.of(job);
    for (const { window, first, count, runs } of yield* this.#db.all<IndexColumns & { window: number }>(
      "SELECT window, first, count, runs FROM provisionalPacks WHERE job = ? ORDER BY number",
      job.number,
    ))
      forEachRun(first, count, runs, (from, length) => {
        for (let index = from; index < from + length; index++)
          if (!ended.has(index)) tasks.add(index, window);
      });
    return tasks;
  }

  *#read(job: CachedJob, window: number): Step<ProvisionalPack[]> {
    const tail = this.#tails.get(window);
    if (tail?.job === job.number) {
      this.#write(tail);
      this.#tails.delete(window);
    }
    return (yield* this.#db.all<PackColumns>(
      "SELECT * FROM provisionalPacks WHERE job = ? AND window = ? ORDER BY number",
      job.number,
      window,
    )).map((columns) => ({
      number: columns.number,
      indexes: decodeRuns(columns.first, columns.count, columns.runs),
      values: this.#valuesOf(job, columns),
      bytes: columns.outputs.length,
    }));
  }

  /** Results in a damaged pack never become outcomes: they are left out, and their tasks are computed again. */
  #valuesOf(job: CachedJob, columns: PackColumns): ValuePack | undefined {
    const { count, first, runs, sizes, side, outputs } = columns;
    if (examine(columns, provisionalHead(columns), [sizes, side, outputs]) === "sound")
      return new ValuePack(count, { sizes, side, bytes: outputs });
    this.#damaged({
      what: "provisional results",
      job: job.row.id,
      tasks: decodeRuns(first, count, runs),
    });
    return undefined;
  }

  /** Writes a pack again without some of its results. @returns the bytes of their outputs */
  #rewrite(
    job: CachedJob,
    window: number,
    { number, indexes, values, bytes }: ProvisionalPack,
    without: ReadonlySet<TaskIndex>,
  ): number {
    const left = indexes.filter((index) => !without.has(index));
    if (!values || left.length === 0) {
      this.#db.write("DELETE FROM provisionalPacks WHERE number = ?", number);
      return bytes;
    }
    const pack = new PackBuilder();
    indexes.forEach((index, position) => {
      if (without.has(index)) return;
      const { payload, refs } = values.value(position);
      pack.add(payload, refs);
    });
    const columns = pack.build();
    const { sizes, side, bytes: outputs } = columns;
    const head = { count: left.length, first: left[0]!, runs: encodeRuns(left) };
    const { crc, headCrc } = checksums(provisionalHead({ job: job.number, window, ...head }), [
      sizes,
      side,
      outputs,
    ]);
    this.#db.write(
      `UPDATE provisionalPacks SET count = ?, first = ?, runs = ?, sizes = ?, side = ?, outputs = ?, crc = ?, headCrc = ?
       WHERE number = ?`,
      head.count,
      head.first,
      head.runs,
      sizes,
      side,
      outputs,
      crc,
      headCrc,
      number,
    );
    return bytes - columns.bytes.length;
  }

  #writeTailsOf({ number }: CachedJob): void {
    for (const [window, tail] of this.#tails) {
      if (tail.job !== number) continue;
      this.#write(tail);
      this.#tails.delete(window);
    }
  }

  #write({ job, window, at, indexes, pack }: Tail): void {
    const { sizes, side, bytes } = pack.build();
    const head = { count: indexes.length, first: indexes[0]!, runs: encodeRuns(indexes) };
    const { crc, headCrc } = checksums(provisionalHead({ job, window: window.number, ...head }), [
      sizes,
      side,
      bytes,
    ]);
    this.#db.write(
      `INSERT INTO provisionalPacks
         (job, window, client, cohort, at, count, first, runs, sizes, side, outputs, crc, headCrc)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      job,
      window.number,
      window.client,
      window.cohort,
      at,
      head.count,
      head.first,
      head.runs,
      sizes,
      side,
      bytes,
      crc,
      headCrc,
    );
  }
}

/** The columns of a pack that say whose results it has, for its checksum. */
export function provisionalHead({
  job,
  window,
  count,
  first,
  runs,
}: Pick<PackColumns, "job" | "window" | "count" | "first" | "runs">): (number | Uint8Array | null)[] {
  return [job, window, count, first, runs];
}
