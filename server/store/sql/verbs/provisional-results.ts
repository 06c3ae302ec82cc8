import type { ClientId, JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { NewOutput, ProvisionalResult, ProvisionalWindow } from "../../store.ts";
import { decodeRuns } from "../index-runs.ts";
import type { CachedJob } from "../job-cache.ts";
import type { ResultPlace } from "../provisional-packs.ts";
import type { Transaction } from "../transaction.ts";
import type { ValuePack } from "../value-pack.ts";
import type { Step } from "../database.ts";

/** Most packs in memory while a page is read, 256 KiB each: neighbouring tasks are mostly in the windows of a few clients. */
const maxKept = 16;

/** Estimated bytes of a result beside its output; the limit is approximate, too. */
const rowBytes = 64;

export function* provisionalOutput(
  transaction: Transaction,
  id: JobId,
  window: number,
  index: TaskIndex,
): Step<NewOutput | undefined> {
  const job = yield* transaction.jobs.find(id);
  if (
    !job?.hasProvisional ||
    !(yield* transaction.provisional.tasksOf(job)).windowsOf(index).includes(window)
  )
    return undefined;
  return yield* new PageReader(transaction, job).output(window, index);
}

/** A page has all results of a task, because the next page begins after its index. */
export function* provisionalResults(
  transaction: Transaction,
  id: JobId,
  after: TaskIndex,
  limit: number,
  maxBytes: number,
): Step<ProvisionalResult[]> {
  const job = yield* transaction.jobs.need(id);
  const page: ProvisionalResult[] = [];
  if (limit < 1 || job.row.provisional === 0) return page;
  const tasks = yield* transaction.provisional.tasksOf(job);
  const clients = yield* clientsOf(transaction, job);
  const reader = new PageReader(transaction, job);
  const indexes = Float64Array.from([...tasks.indexes()].filter((index) => index > after)).sort();
  let bytes = 0;
  for (const index of indexes) {
    for (const window of tasks.windowsOf(index)) {
      const result = yield* reader.output(window, index);
      if (!result) continue;
      bytes += rowBytes + (result.output instanceof Uint8Array ? result.output.length : 0);
      page.push({ ...result, client: clients.get(window)! });
    }
    if (page.length >= limit || bytes >= maxBytes) break;
  }
  return page;
}

interface WindowColumns {
  readonly id: JobId;
  readonly window: number;
  readonly client: ClientId;
  readonly cohort: string;
  readonly at: number;
  readonly first: TaskIndex;
  readonly count: number;
  readonly runs: Uint8Array | null;
}

export function* listWindows({ db, jobs, provisional }: Transaction): Step<ProvisionalWindow[]> {
  const windows = new Map<number, ProvisionalWindow & { readonly indexes: TaskIndex[] }>();
  // The rows are a list, because loading a job's tasks reads the same table.
  for (const { id, window, client, cohort, at, first, count, runs } of yield* db.all<WindowColumns>(
    `SELECT jobs.id, window, client, cohort, at, first, count, runs
     FROM provisionalPacks JOIN jobs ON jobs.number = provisionalPacks.job ORDER BY provisionalPacks.number`,
  )) {
    const tasks = yield* provisional.tasksOf(yield* jobs.need(id));
    const open = decodeRuns(first, count, runs).filter((index) => tasks.has(index));
    if (open.length === 0) continue;
    const known = windows.get(window);
    if (known) for (const index of open) known.indexes.push(index);
    else windows.set(window, { job: id, number: window, client, cohort, at, indexes: open });
  }
  return [...windows.values()];
}

function* clientsOf({ db }: Transaction, job: CachedJob): Step<Map<number, ClientId>> {
  const rows = yield* db.all<{ window: number; client: ClientId }>(
    "SELECT DISTINCT window, client FROM provisionalPacks WHERE job = ?",
    job.number,
  );
  return new Map(rows.map(({ window, client }) => [window, client]));
}

/** Reads single results of a job's windows, and keeps the packs of the last ones for the next. */
class PageReader {
  readonly #transaction: Transaction;
  readonly #job: CachedJob;
  readonly #places = new Map<number, Map<TaskIndex, ResultPlace>>();
  /** The values by the pack's number. */
  readonly #packs = new Map<number, ValuePack>();

  constructor(transaction: Transaction, job: CachedJob) {
    this.#transaction = transaction;
    this.#job = job;
  }

  /** @returns undefined when the output is damaged */
  *output(window: number, index: TaskIndex): Step<NewOutput | undefined> {
    const place = (yield* this.#placesOf(window)).get(index);
    const values = place && (yield* this.#valuesOf(place));
    if (!values) return undefined;
    const [value] = values.values([place.position]);
    return { index, output: value!.payload, refs: value!.refs };
  }

  *#placesOf(window: number): Step<Map<TaskIndex, ResultPlace>> {
    let places = this.#places.get(window);
    if (!places) {
      places = yield* this.#transaction.provisional.placesOf(this.#job, window);
      this.#places.set(window, places);
    }
    return places;
  }

  *#valuesOf(place: ResultPlace): Step<ValuePack | undefined> {
    let values = this.#packs.get(place.pack);
    if (!values) {
      values = yield* this.#transaction.provisional.valuesOf(this.#job, place);
      if (!values) return undefined;
      const [oldest] = this.#packs.keys();
      if (this.#packs.size >= maxKept && oldest !== undefined) this.#packs.delete(oldest);
      this.#packs.set(place.pack, values);
    }
    return values;
  }
}
