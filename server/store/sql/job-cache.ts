import type { JobId } from "../../../shared/ids.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import type { TaskFailure } from "../../../shared/wire/rest/failures.ts";
import type { JobOptions } from "../../../shared/wire/rest/job-options.ts";
import type { JobState } from "../../../shared/wire/rest/job-state.ts";
import type { Statement } from "../../../shared/wire/rest/verification.ts";
import type { JobRow } from "../store.ts";
import { readHash } from "./columns.ts";
import type { Database, SqlValue, Step } from "./database.ts";
import { nothingStated } from "./statement.ts";
import type { UsageLedger } from "./usage-ledger.ts";

/** A job in memory. Its counters are written once a commit, however many verbs changed them. */
export interface CachedJob {
  /** The job's number inside the database. */
  readonly number: number;
  /** Replaced and never modified, because callers keep it. */
  row: JobRow;
  lowWater: number;
  /** An index above those of all tasks: a submission from here on repeats no task. */
  nextIndex: number;
  /** Whether the job has rows in `attempts` or `checkpoints`; most jobs have none. */
  hasSideRows: boolean;
  /** Whether the job may have rows in `provisionalPacks`. */
  hasProvisional: boolean;
  /** The jobs that take outputs of this job. */
  readonly fed: Set<JobId>;
  /** Grows with every commit that changed the job, where several servers do. */
  version: number;
  /** Grows whenever outcomes of the job are removed. */
  reopenings: number;
}

/** The columns of a job's row. */
export interface JobColumns {
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
  /** Job ids, separated by spaces. */
  readonly waitingFor: string | null;
}

/** The columns of a job in the cache. */
export interface CachedColumns extends JobColumns {
  /** Job ids, separated by spaces. */
  readonly fed: string | null;
  readonly nextIndex: number | null;
  readonly sideRows: number;
  readonly version?: number;
  readonly reopenings?: number;
  readonly provisionalRows: number;
}

const waitingFor = `(SELECT string_agg(before.id, ' ' ORDER BY waits.after) FROM waits
  JOIN jobs AS before ON before.number = waits.after WHERE waits.job = jobs.number) AS waitingFor`;

/** The order of a list of jobs. */
export interface JobOrder {
  /** An expression that an index has, followed by the number. */
  readonly by: string;
  readonly descending: boolean;
}

/** Selects rows of jobs, and the jobs that they wait for. */
export const selectRows = `SELECT jobs.*, ${waitingFor} FROM jobs`;

/** Selects the columns of a job that the cache keeps. */
export const selectCached = `SELECT jobs.*, ${waitingFor},
  (SELECT string_agg(fed.id, ' ') FROM feeds JOIN jobs AS fed ON fed.number = feeds.job WHERE feeds.source = jobs.number) AS fed,
  (SELECT first + count FROM taskPacks WHERE job = jobs.number ORDER BY first DESC LIMIT 1) AS nextIndex,
  CASE WHEN EXISTS (SELECT 1 FROM attempts WHERE job = jobs.number) OR EXISTS (SELECT 1 FROM checkpoints WHERE job = jobs.number)
    THEN 1 ELSE 0 END AS sideRows,
  CASE WHEN EXISTS (SELECT 1 FROM provisionalPacks WHERE job = jobs.number) THEN 1 ELSE 0 END AS provisionalRows
  FROM jobs`;

/** Entries kept between commits. A row is about a kilobyte, and a lab has dozens of active jobs, not thousands. */
export const maxCached = 1024;

/**
 * The active jobs, so that a frequent verb neither reads nor parses its job's row. Between commits the cache equals the
 * database; after a rollback it is cleared.
 */
export class JobCache {
  /** Number of changes so far: a caller can compare it to see whether a verb changed a job before it threw. */
  changes = 0;
  protected readonly db: Database;
  readonly #usage: UsageLedger;
  protected readonly cached = new Map<JobId, CachedJob>();
  protected readonly changed = new Set<CachedJob>();

  constructor(db: Database, usage: UsageLedger) {
    this.db = db;
    this.#usage = usage;
  }

  *find(id: JobId): Step<CachedJob | undefined> {
    const cached = this.cached.get(id);
    if (cached) return cached;
    const columns = yield* this.db.get<CachedColumns>(`${selectCached} WHERE id = ?`, id);
    if (!columns) return undefined;
    const job = cachedJob(columns);
    this.cached.set(id, job);
    return job;
  }

  /** The job of an id. @throws PlatformError NOT_FOUND */
  *need(id: JobId): Step<CachedJob> {
    const job = yield* this.find(id);
    if (!job) throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
    return job;
  }

  /** Rows directly from the database, so that a listing of a thousand old jobs does not fill the cache; `place` is what they are ordered by. */
  *list(
    where: string,
    values: readonly (string | number)[],
    limit?: number,
    { by, descending }: JobOrder = { by: "number", descending: true },
  ): Step<{ number: number; place: string | number; row: JobRow }[]> {
    const direction = descending ? "DESC" : "ASC";
    const rows = yield* this.db.all<JobColumns & { place: string | number }>(
      `SELECT jobs.*, ${waitingFor}, ${by} AS place FROM jobs WHERE ${where} ORDER BY ${by} ${direction}, number ${direction} LIMIT ?`,
      ...values,
      limit ?? Number.MAX_SAFE_INTEGER,
    );
    return rows.map(({ place, ...columns }) => ({ number: columns.number, place, row: rowOf(columns) }));
  }

  /** Changes a job's row; the commit writes it. */
  change(job: CachedJob, changes: Partial<JobRow>): void {
    const before = job.row;
    job.row = { ...before, ...changes };
    this.#usage.jobChanged(before, job.row);
    this.changed.add(job);
    this.changes++;
  }

  /** Moves the low-water mark; the commit writes it. */
  mark(job: CachedJob, lowWater: number): void {
    job.lowWater = lowWater;
    this.changed.add(job);
    this.changes++;
  }

  /**
   * Notes that rows changed which belong to the job, where other servers have to hear of it.
   */
  // oxlint-disable-next-line eslint/class-methods-use-this
  touch(_job: CachedJob): void {}

  /** Writes changed jobs, inside the transaction. */
  writeChanges(): void {
    for (const job of this.changed)
      this.db.write(`UPDATE jobs SET ${savedColumns} WHERE number = ?`, ...savedValues(job), job.number);
    this.changed.clear();
    this.trim();
  }

  /** Drops all jobs when there are many. */
  protected trim(): void {
    if (this.cached.size > maxCached) this.cached.clear();
  }

  /** Drops a job that was removed from the database. */
  forget(id: JobId): void {
    const job = this.cached.get(id);
    if (job) this.changed.delete(job);
    this.cached.delete(id);
  }

  /** Drops all jobs after a rollback, because they contain changes that were rolled back. */
  clear(): void {
    this.cached.clear();
    this.changed.clear();
  }
}

export function cachedJob(columns: CachedColumns): CachedJob {
  const {
    number,
    lowWater,
    nextIndex,
    sideRows,
    provisionalRows,
    fed,
    version = 0,
    reopenings = 0,
  } = columns;
  return {
    number,
    row: rowOf(columns),
    lowWater,
    nextIndex: nextIndex ?? 0,
    hasSideRows: sideRows === 1,
    hasProvisional: provisionalRows === 1,
    fed: new Set(readIds(fed)),
    version,
    reopenings,
  };
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
    waitingFor: columns.state === "blocked" ? [] : readIds(columns.waitingFor),
  };
}

function readIds(text: string | null): JobId[] {
  return text === null ? [] : (text.split(" ") as JobId[]);
}

/** The columns that a commit writes, for {@link savedValues}. */
export const savedColumns = `state = ?, paused = ?, priority = ?, total = ?, done = ?, failed = ?, lastSeq = ?, endedAt = ?,
  submittedAt = ?, reason = ?, inputBytes = ?, outputBytes = ?, provisional = ?, statement = ?, lowWater = ?`;

export function savedValues({ row, lowWater }: CachedJob): SqlValue[] {
  return [
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
  ];
}
