import type { JobId } from "../../../shared/ids.ts";
import type { Query, Step } from "../sql/database.ts";
import type { EndedSets } from "../sql/ended-sets.ts";
import {
  cachedJob,
  JobCache,
  maxCached,
  savedColumns,
  savedValues,
  selectCached,
  selectRows,
  type CachedColumns,
  type CachedJob,
  type JobColumns,
} from "../sql/job-cache.ts";
import type { ProvisionalPacks } from "../sql/provisional-packs.ts";
import type { JobRow, ChangeKind } from "../store.ts";
import type { SharedClaims } from "./shared-claims.ts";
import type { PostgresDatabase } from "./database.ts";
import type { SharedUsage } from "./usage.ts";

interface Head {
  readonly id: JobId;
  readonly version: number;
}

interface Dependents {
  readonly ended: EndedSets;
  readonly provisional: ProvisionalPacks;
  readonly claims: SharedClaims;
}

/** A job that a transaction changed. */
export interface ChangedJob {
  readonly id: JobId;
  readonly version: number;
  readonly kinds: readonly ChangeKind[];
}

/** The jobs of one read, which is told of no rows beside a job's own, and takes it that there are some. */
export class ReadJobs extends JobCache {
  override *find(id: JobId): Step<CachedJob | undefined> {
    const columns = yield* this.db.get<JobColumns>(`${selectRows} WHERE id = ?`, id);
    return columns && cachedJob({ ...columns, fed: null, nextIndex: null, sideRows: 1, provisionalRows: 1 });
  }
}

/** Locks jobs, in one order, so that two servers do not wait for each other. */
export function lockJobs(ids: readonly JobId[]): Query {
  return {
    sql: "SELECT id, version FROM jobs WHERE id = ANY (string_to_array(?, ' ')) ORDER BY number FOR UPDATE",
    values: [ids.join(" ")],
  };
}

function cachedQuery(id: JobId): Query {
  return { sql: `${selectCached} WHERE id = ?`, values: [id] };
}

/**
 * The jobs that this server remembers. The first verb of a transaction that touches a job locks its row, so that the servers of a
 * job take turns by commits. When the row has the version that this server wrote last, all that it remembers of the job holds; else it
 * reads what changed.
 */
export class SharedJobs extends JobCache {
  readonly #dependents: Dependents;
  /** Jobs that this transaction locked. */
  readonly #locked = new Set<JobId>();
  readonly #touched = new Set<CachedJob>();
  /** The rows of changed jobs before this transaction. */
  readonly #before = new Map<CachedJob, JobRow | undefined>();
  #removed: JobId[] = [];
  /** Jobs that have tasks to claim again. */
  readonly #returned = new Set<CachedJob>();
  /** Jobs that another server had changed when this server last locked them. */
  readonly #contended = new Set<JobId>();
  /** Changes of this transaction, once they are written. */
  written: readonly ChangedJob[] = [];

  constructor(db: PostgresDatabase, usage: SharedUsage, dependents: Dependents) {
    super(db, usage);
    this.#dependents = dependents;
  }

  override *find(id: JobId): Step<CachedJob | undefined> {
    if (this.#locked.has(id)) return this.cached.get(id);
    const { sql, values } = lockJobs([id]);
    return yield* this.#use(id, yield* this.db.get<Head>(sql, ...values));
  }

  /** Queries for other servers' changes of jobs, which are likely to be asked once these are locked. */
  ahead(ids: readonly JobId[]): Query[] {
    const { ended, claims } = this.#dependents;
    return ids.flatMap((id) => {
      const known = this.#contended.has(id) && this.cached.get(id);
      if (!known) return [];
      return [cachedQuery(id), ended.newest(known, known.row.lastSeq), claims.query(known)];
    });
  }

  /** Notes that the transaction locked jobs, with the answer to {@link lockJobs}. */
  *locked(ids: readonly JobId[], heads: readonly unknown[]): Step<void> {
    const found = new Map((heads as Head[]).map((head) => [head.id, head]));
    for (const id of ids) if (!this.#locked.has(id)) yield* this.#use(id, found.get(id));
  }

  override change(job: CachedJob, changes: Partial<JobRow>): void {
    if (!this.#before.has(job)) this.#before.set(job, job.row);
    super.change(job, changes);
  }

  override touch(job: CachedJob): void {
    this.#touched.add(job);
    this.changes++;
  }

  /** Notes that tasks of the job can be claimed again. */
  returned(job: CachedJob): void {
    this.#returned.add(job);
  }

  override forget(id: JobId): void {
    this.#contended.delete(id);
    const job = this.cached.get(id);
    if (job) {
      this.#touched.delete(job);
      this.#before.delete(job);
      this.#returned.delete(job);
    }
    super.forget(id);
    this.#locked.delete(id);
    this.#removed.push(id);
  }

  override writeChanges(): void {
    const written: ChangedJob[] = this.#removed.map((id) => ({
      id,
      version: Number.MAX_SAFE_INTEGER,
      kinds: ["state"],
    }));
    for (const job of new Set([...this.changed, ...this.#touched])) {
      job.version++;
      if (this.changed.has(job))
        this.db.write(
          `UPDATE jobs SET ${savedColumns}, version = ?, reopenings = ? WHERE number = ?`,
          ...savedValues(job),
          job.version,
          job.reopenings,
          job.number,
        );
      else this.db.write("UPDATE jobs SET version = ? WHERE number = ?", job.version, job.number);
      written.push({ id: job.row.id, version: job.version, kinds: this.#kindsOf(job) });
    }
    this.written = written;
    this.changed.clear();
    this.#touched.clear();
  }

  /** Ends the transaction; the cached rows of its jobs stay. */
  committed(): void {
    this.#endTransaction();
    this.trim();
  }

  protected override trim(): void {
    if (this.cached.size <= maxCached) return;
    this.#contended.clear();
    const { ended, provisional, claims } = this.#dependents;
    this.cached.clear();
    ended.clear();
    provisional.clear();
    claims.clear();
  }

  override clear(): void {
    this.#endTransaction();
    this.#touched.clear();
    super.clear();
  }

  #endTransaction(): void {
    this.#locked.clear();
    this.#before.clear();
    this.#returned.clear();
    this.#removed = [];
    this.written = [];
  }

  *#use(id: JobId, head: Head | undefined): Step<CachedJob | undefined> {
    const known = this.cached.get(id);
    if (head && known?.version === head.version) {
      this.#locked.add(id);
      this.#contended.delete(id);
      return known;
    }
    const { ended, provisional, claims } = this.#dependents;
    const query = cachedQuery(id);
    const columns = head && (yield* this.db.get<CachedColumns>(query.sql, ...query.values));
    if (!columns) {
      if (known) this.#forgetDependents(known);
      this.#contended.delete(id);
      this.cached.delete(id);
      return undefined;
    }
    const job = cachedJob(columns);
    this.#locked.add(id);
    this.cached.set(id, job);
    provisional.forget(job);
    claims.forget(job);
    if (known) {
      this.#contended.add(id);
      yield* claims.find(job);
    }
    if (known?.reopenings === job.reopenings) yield* ended.readOn(job, known.row.lastSeq);
    else ended.drop(job);
    return job;
  }

  #forgetDependents(job: CachedJob): void {
    const { ended, provisional, claims } = this.#dependents;
    ended.drop(job);
    provisional.forget(job);
    claims.forget(job);
  }

  #kindsOf(job: CachedJob): ChangeKind[] {
    const before = this.#before.get(job);
    const { row } = job;
    const kinds: ChangeKind[] = [];
    // The commit that makes a job gives it its first version.
    if (job.version === 1) kinds.push("state");
    if ((before && row.total !== before.total) || this.#returned.has(job)) kinds.push("tasks");
    if (!before) return kinds;
    if (row.lastSeq !== before.lastSeq) kinds.push("outcomes");
    if (
      job.version > 1 &&
      (row.state !== before.state ||
        row.paused !== before.paused ||
        row.priority !== before.priority ||
        row.failed < before.failed ||
        row.verify !== before.verify ||
        row.compare !== before.compare ||
        row.waitingFor.length !== before.waitingFor.length)
    )
      kinds.push("state");
    if (row.provisional !== before.provisional || row.statement !== before.statement)
      kinds.push("provisional");
    return kinds;
  }
}
