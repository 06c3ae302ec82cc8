import type { JobId } from "../../../shared/ids.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import type { JobOptions, JobState, Statement, TaskFailure } from "../../../shared/wire/rest.ts";
import type { JobRow } from "../store.ts";
import { readHash } from "./columns.ts";
import type { Database } from "./database.ts";
import { nothingStated } from "./statement.ts";
import type { TaskPacks } from "./task-packs.ts";
import type { UsageLedger } from "./usage-ledger.ts";

/** A job in memory. Its counters are written once a commit, however many verbs changed them. */
export interface CachedJob {
  /** The job's number inside the database. */
  readonly number: number;
  /** Replaced and never modified, because callers keep it. */
  row: JobRow;
  lowWater: number;
  /** All tasks have lower indexes: a submission from here on repeats no task. */
  nextIndex: number;
  /** Whether the job has rows in `attempts` or `checkpoints`; most jobs have none. */
  hasSideRows: boolean;
  /** Whether the job may have rows in `provisionalPacks`. */
  hasProvisional: boolean;
}

interface JobColumns {
  readonly number: number;
  readonly id: JobId;
  readonly customer: string;
  readonly key: string | null;
  readonly kernel: Uint8Array;
  readonly kernelSize: number;
  readonly options: string;
  readonly priority: number;
  readonly createdAt: number;
  readonly state: JobState;
  readonly paused: number;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly lastSeq: number;
  readonly endedAt: number | null;
  readonly submittedAt: number;
  readonly reason: string | null;
  readonly lowWater: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly provisional: number;
  readonly statement: string | null;
  readonly changedOptions: string | null;
  /** JSON array of job ids. */
  readonly waitingFor: string;
}

/** Selects a job's row and the jobs that it waits for. */
const selectJobs = `SELECT *, (SELECT json_group_array(first.id) FROM waits JOIN jobs AS first ON first.number = waits.after
  WHERE waits.job = jobs.number) AS waitingFor FROM jobs`;

/** Entries kept between commits. A row is about a kilobyte, and a lab has dozens of active jobs, not thousands. */
const maxCached = 1024;

/**
 * The active jobs, so that a frequent verb neither reads nor parses its job's row. Between commits the cache equals the
 * database; after a rollback it is cleared.
 */
export class JobCache {
  /** Number of changes so far: a caller can compare it to see whether a verb changed a job before it threw. */
  changes = 0;
  readonly #db: Database;
  readonly #tasks: TaskPacks;
  readonly #usage: UsageLedger;
  readonly #jobs = new Map<JobId, CachedJob>();
  readonly #changed = new Set<CachedJob>();

  constructor(db: Database, tasks: TaskPacks, usage: UsageLedger) {
    this.#db = db;
    this.#tasks = tasks;
    this.#usage = usage;
  }

  find(id: JobId): CachedJob | undefined {
    const cached = this.#jobs.get(id);
    if (cached) return cached;
    const columns = this.#db.get<JobColumns>(`${selectJobs} WHERE id = ?`, id);
    if (!columns) return undefined;
    const job = this.#load(columns);
    this.#jobs.set(id, job);
    return job;
  }

  /** The job of an id. @throws PlatformError NOT_FOUND */
  need(id: JobId): CachedJob {
    const job = this.find(id);
    if (!job) throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
    return job;
  }

  /** Rows directly from the database, newest first, so that a listing of a thousand old jobs does not fill the cache. */
  list(
    where: string,
    values: readonly (string | number)[],
    limit?: number,
  ): { number: number; row: JobRow }[] {
    // SQLite takes -1 for no limit.
    return this.#db
      .all<JobColumns>(`${selectJobs} WHERE ${where} ORDER BY number DESC LIMIT ?`, ...values, limit ?? -1)
      .map((columns) => ({ number: columns.number, row: rowOf(columns) }));
  }

  /** Changes a job's row; the commit writes it. */
  change(job: CachedJob, changes: Partial<JobRow>): void {
    const before = job.row;
    job.row = { ...before, ...changes };
    this.#usage.jobChanged(before, job.row);
    this.#changed.add(job);
    this.changes++;
  }

  /** Moves the low-water mark; the commit writes it. */
  mark(job: CachedJob, lowWater: number): void {
    job.lowWater = lowWater;
    this.#changed.add(job);
    this.changes++;
  }

  /** Writes changed jobs, inside the transaction. */
  writeChanges(): void {
    for (const { number, row, lowWater } of this.#changed)
      this.#db.run(
        `UPDATE jobs SET state = ?, paused = ?, priority = ?, total = ?, done = ?, failed = ?, lastSeq = ?, endedAt = ?,
           submittedAt = ?, reason = ?, inputBytes = ?, outputBytes = ?, provisional = ?, statement = ?, lowWater = ?
         WHERE number = ?`,
        row.state,
        row.paused ? 1 : 0,
        row.priority,
        row.total,
        row.done,
        row.failed,
        row.lastSeq,
        row.endedAt ?? null,
        row.submittedAt,
        row.reason === undefined ? null : JSON.stringify(row.reason),
        row.inputBytes,
        row.outputBytes,
        row.provisional,
        row.statement === nothingStated ? null : JSON.stringify(row.statement),
        lowWater,
        number,
      );
    this.#changed.clear();
    if (this.#jobs.size > maxCached) this.#jobs.clear();
  }

  /** Drops a job that was removed from the database. */
  forget(id: JobId): void {
    const job = this.#jobs.get(id);
    if (job) this.#changed.delete(job);
    this.#jobs.delete(id);
  }

  /** Drops all jobs after a rollback, because they contain changes that were rolled back. */
  clear(): void {
    this.#jobs.clear();
    this.#changed.clear();
  }

  #load(columns: JobColumns): CachedJob {
    const { number, lowWater } = columns;
    const has = this.#db.get<{ side: number; provisional: number }>(
      `SELECT EXISTS (SELECT 1 FROM attempts WHERE job = ?1) OR EXISTS (SELECT 1 FROM checkpoints WHERE job = ?1) AS side,
         EXISTS (SELECT 1 FROM provisionalPacks WHERE job = ?1) AS provisional`,
      number,
    );
    return {
      number,
      row: rowOf(columns),
      lowWater,
      nextIndex: this.#tasks.nextIndex(number),
      hasSideRows: has?.side === 1,
      hasProvisional: has?.provisional === 1,
    };
  }
}

/** Options that jobs of earlier versions lack, as those versions computed jobs and took results. */
const earlierOptions = {
  failFast: true,
  math: "portable",
  portable: false,
  verify: "off",
  compare: "bits",
  check: false,
} as const satisfies Partial<JobOptions & Pick<JobRow, "portable">>;

function rowOf(columns: JobColumns): JobRow {
  return {
    ...earlierOptions,
    // Options are one JSON text, so that options of later versions need no new column.
    ...(JSON.parse(columns.options) as Omit<
      JobOptions & Pick<JobRow, "portable">,
      keyof typeof earlierOptions
    >),
    ...(columns.changedOptions === null ? {} : (JSON.parse(columns.changedOptions) as Partial<JobOptions>)),
    id: columns.id,
    customer: columns.customer,
    ...(columns.key === null ? {} : { key: columns.key }),
    kernel: { sha256: readHash(columns.kernel), size: columns.kernelSize },
    priority: columns.priority,
    createdAt: columns.createdAt,
    state: columns.state,
    paused: columns.paused === 1,
    total: columns.total,
    done: columns.done,
    failed: columns.failed,
    lastSeq: columns.lastSeq,
    endedAt: columns.endedAt ?? undefined,
    submittedAt: columns.submittedAt,
    inputBytes: columns.inputBytes,
    outputBytes: columns.outputBytes,
    provisional: columns.provisional,
    statement: columns.statement === null ? nothingStated : (JSON.parse(columns.statement) as Statement),
    reason: columns.reason === null ? undefined : (JSON.parse(columns.reason) as TaskFailure),
    // A job that a blocked job comes after has failed, so waiting has no end.
    waitingFor: columns.state === "blocked" ? [] : (JSON.parse(columns.waitingFor) as JobId[]),
  };
}
