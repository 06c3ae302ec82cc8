import { LRUCache } from "lru-cache";
import type { JobId } from "../../shared/ids.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { JobRow } from "../store/store.ts";
import { News } from "./news.ts";
import { RateWindow } from "./rates.ts";

/** The memory of a job that a reader watches. */
interface Watched {
  row: JobRow;
  readonly rate: RateWindow;
  /** Time of the last end of a task, on the clock of `performance`. */
  movedAt: number;
}

export interface LogLine {
  readonly at: number;
  readonly index: number;
  readonly client: string;
  readonly line: string;
}

/** Most log lines of a job that are kept, the newest. */
export const logLinesPerJob = 1000;
const jobsWithLogs = 200;
/** Ended jobs that stay in memory for their readers; 1.3 KiB each. */
const endedJobs = 200;

/** The in-memory side of jobs: losing all of it breaks no promise. */
export class JobWatch {
  readonly #jobs = new Map<JobId, Watched>();
  readonly #logs = new LRUCache<JobId, LogLine[]>({ max: jobsWithLogs });
  /** Ended jobs, in order of their end. */
  readonly #ended = new Set<JobId>();
  readonly #news: News<JobId>;
  /** News for readers of results: of changed rows, not of tasks that began or progressed. */
  readonly #rowNews = new News<JobId>();
  /** Number of replies that are sending results of a job. */
  readonly #readers = new Map<JobId, number>();

  /** @param news - hears of every change */
  constructor(news: News<JobId>) {
    this.#news = news;
  }

  /** Takes the newest row of a job; wakes the readers that wait for a change. */
  update(row: JobRow, finishedNow = 0): void {
    this.#news.tell(row.id);
    const watched = this.#jobs.get(row.id);
    const now = performance.now();
    if (watched) {
      watched.row = row;
      watched.rate.add(finishedNow, now);
      if (finishedNow > 0) watched.movedAt = performance.now();
      this.#rowNews.tell(row.id);
    } else {
      const rate = new RateWindow(60, now);
      rate.add(finishedNow, now);
      this.#jobs.set(row.id, { row, rate, movedAt: finishedNow > 0 ? performance.now() : -Infinity });
    }
    this.#noteEnd(row);
  }

  /** Jobs in memory that have not ended, as far as is known here. */
  unended(): JobId[] {
    return [...this.#jobs.keys()].filter((id) => !this.#ended.has(id));
  }

  /** Number of jobs in memory. */
  get size(): number {
    return this.#jobs.size;
  }

  #noteEnd(row: JobRow): void {
    // A job with requeued tasks is open again.
    if (!hasEnded(row.state)) return void this.#ended.delete(row.id);
    this.#ended.add(row.id);
    const [oldest] = this.#ended;
    if (this.#ended.size <= endedJobs || oldest === undefined) return;
    this.#ended.delete(oldest);
    this.#rowNews.tell(oldest);
    this.#jobs.delete(oldest);
  }

  row(id: JobId): JobRow | undefined {
    return this.#jobs.get(id)?.row;
  }

  /** Jobs of which a task ended in the last `ms` milliseconds. */
  movedWithin(ms: number): JobId[] {
    const since = performance.now() - ms;
    return [...this.#jobs].flatMap(([id, { movedAt }]) => (movedAt >= since ? [id] : []));
  }

  rate(id: JobId): number {
    return this.#jobs.get(id)?.rate.perSecond(performance.now()) ?? 0;
  }

  /** Finished tasks of each of the last seconds, as far as they were counted. */
  measured(id: JobId): number[] {
    return this.#jobs.get(id)?.rate.measured(performance.now()) ?? [];
  }

  forget(id: JobId): void {
    this.#rowNews.tell(id);
    this.#jobs.delete(id);
    this.#ended.delete(id);
    this.#logs.delete(id);
    this.#news.tell(id);
  }

  /**
   * Resolves at the next change of the job's row, when aborted, or after `atMostMs`; at once when the job is not in
   * memory.
   */
  changed(id: JobId, signal: AbortSignal, atMostMs: number): Promise<void> {
    return this.#jobs.has(id) ? this.#rowNews.next(id, signal, atMostMs) : Promise.resolve();
  }

  /** Notes a reply that sends results of a job, from now until the returned function is called. */
  read(id: JobId): () => void {
    this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    return () => {
      const left = this.#readers.get(id)! - 1;
      if (left === 0) this.#readers.delete(id);
      else this.#readers.set(id, left);
    };
  }

  /** Whether a reader follows the job's progress, or gets its results. */
  isFollowed(id: JobId): boolean {
    return this.#readers.has(id) || this.#rowNews.isAwaited(id) || this.#news.isAwaited(id);
  }

  /** The jobs whose progress readers follow, or whose results they get. */
  followed(): ReadonlySet<JobId> {
    return new Set([...this.#readers.keys(), ...this.#rowNews.awaited, ...this.#news.awaited]);
  }

  log(id: JobId, index: number, client: string, lines: readonly string[]): void {
    let log = this.#logs.get(id);
    if (!log) {
      if (!this.#jobs.has(id)) return;
      this.#logs.set(id, (log = []));
    }
    const at = Date.now();
    for (const line of lines) log.push({ at, index, client, line });
    if (log.length > logLinesPerJob) log.splice(0, log.length - logLinesPerJob);
  }

  logs(id: JobId): readonly LogLine[] {
    return this.#logs.get(id) ?? [];
  }
}
