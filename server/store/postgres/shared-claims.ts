import type { TaskIndex } from "../../../shared/ids.ts";
import type { Claims, JobClaims } from "../sql/claims.ts";
import type { Query, Step } from "../sql/database.ts";
import type { EndedSets } from "../sql/ended-sets.ts";
import { IndexSet } from "../sql/index-set.ts";
import type { CachedJob } from "../sql/job-cache.ts";
import type { PostgresDatabase } from "./database.ts";

/** Claims that no server holds: provisional results keep the tasks. No sequence gives this epoch to a server. */
const keptEpoch = 0;
/** The tasks that were given back, in a row beside the claims. */
const returnedEpoch = -1;

interface ClaimColumns {
  readonly epoch: number;
  readonly cursor: number;
  readonly tasks: Uint8Array;
  readonly live: boolean | null;
}

/** Lives and deaths of servers, for claims. */
export interface Liveness {
  /** The epoch of this server. */
  readonly epoch: number;
  /** Whether a server that was alive when its claims were read has died since. */
  isGone(epoch: number): boolean;
  /** Remembers a server whose claims were read. */
  know(epoch: number): void;
}

interface Changes {
  /** Notes that claims of a job changed. */
  touch(job: CachedJob): void;
  /** Notes that tasks of a job can be claimed again. */
  returned(job: CachedJob): void;
}

/**
 * The claims of all servers, in a row for each server and job, changed under the lock of the job's row. Claims of a server that has died
 * return to the queue by whichever server looks next.
 */
export class SharedClaims implements Claims {
  readonly #db: PostgresDatabase;
  readonly #servers: Liveness;
  readonly #ended: EndedSets;
  /** Set after construction, because jobs and claims refer to each other. */
  changes: Changes = { touch: () => {}, returned: () => {} };
  /** The claims by the job's number. */
  readonly #jobs = new Map<number, SharedJobClaims>();

  constructor(db: PostgresDatabase, servers: Liveness, ended: EndedSets) {
    this.#db = db;
    this.#servers = servers;
    this.#ended = ended;
  }

  *open(job: CachedJob): Step<JobClaims> {
    const claims = yield* this.find(job);
    const gone = claims.servers().filter((epoch) => claims.dead.has(epoch) || this.#servers.isGone(epoch));
    if (gone.length > 0) {
      const ended = yield* this.#ended.of(job);
      for (const epoch of gone) claims.takeOver(epoch, ended);
    }
    return claims;
  }

  *find(job: CachedJob): Step<SharedJobClaims> {
    let claims = this.#jobs.get(job.number);
    if (!claims) {
      claims = yield* this.#load(job);
      this.#jobs.set(job.number, claims);
    }
    return claims;
  }

  *change(job: CachedJob, effect: (claims: JobClaims) => void): Step<void> {
    effect(yield* this.find(job));
  }

  drop({ number }: CachedJob): void {
    this.#jobs.delete(number);
    this.#db.write("DELETE FROM claims WHERE job = ?", number);
  }

  /** Forgets the claims of a job that another server changed. */
  forget({ number }: CachedJob): void {
    this.#jobs.delete(number);
  }

  /** Writes changed claims, inside the transaction. */
  flush(): void {
    for (const [number, claims] of this.#jobs) claims.flush(this.#db, number);
  }

  /** Forgets all claims, after a rollback. */
  clear(): void {
    this.#jobs.clear();
  }

  /** Asks for the claims of a job. */
  // oxlint-disable-next-line eslint/class-methods-use-this
  query({ number }: CachedJob): Query {
    const sql = `SELECT epoch, cursor, tasks, NOT buried AS live
       FROM claims LEFT JOIN servers USING (epoch) WHERE job = ?`;
    return { sql, values: [number] };
  }

  *#load(job: CachedJob): Step<SharedJobClaims> {
    const claims = new SharedJobClaims(this.#servers.epoch, job, this.changes);
    const { sql, values } = this.query(job);
    for (const { epoch, cursor, tasks, live } of yield* this.#db.all<ClaimColumns>(sql, ...values)) {
      claims.read(epoch, cursor, IndexSet.decode(tasks));
      if (epoch <= keptEpoch) continue;
      if (live === true) this.#servers.know(epoch);
      else claims.dead.add(epoch);
    }
    return claims;
  }
}

class SharedJobClaims implements JobClaims {
  /** Servers whose claims were read after their death. */
  readonly dead = new Set<number>();
  readonly #mine: number;
  readonly #job: CachedJob;
  readonly #changes: Changes;
  readonly #sets = new Map<number, IndexSet>();
  #returned = new IndexSet();
  #cursor = 0;
  readonly #changed = new Set<number>();

  constructor(epoch: number, job: CachedJob, changes: Changes) {
    this.#mine = epoch;
    this.#job = job;
    this.#changes = changes;
  }

  get cursor(): TaskIndex {
    return this.#cursor;
  }

  set cursor(index: TaskIndex) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    this.#note(returnedEpoch);
  }

  read(epoch: number, cursor: number, tasks: IndexSet): void {
    if (epoch === returnedEpoch) [this.#cursor, this.#returned] = [cursor, tasks];
    else this.#sets.set(epoch, tasks);
  }

  /** The other servers that have claims. */
  servers(): number[] {
    return [...this.#sets.keys()].filter((epoch) => epoch > keptEpoch && epoch !== this.#mine);
  }

  /** Returns the tasks of a server that has died. */
  takeOver(epoch: number, ended: IndexSet): void {
    for (const index of this.#sets.get(epoch)?.indexes() ?? []) if (!ended.has(index)) this.lookAgain(index);
    this.#sets.delete(epoch);
    this.dead.delete(epoch);
    this.#note(epoch);
  }

  has(index: TaskIndex): boolean {
    for (const set of this.#sets.values()) if (set.has(index)) return true;
    return false;
  }

  add(index: TaskIndex): void {
    if (this.#of(this.#mine).add(index)) this.#note(this.#mine);
  }

  keep(index: TaskIndex): void {
    this.release(index);
    if (this.#of(keptEpoch).add(index)) this.#note(keptEpoch);
  }

  release(index: TaskIndex): void {
    for (const [epoch, set] of this.#sets) if (set.delete(index)) this.#note(epoch);
  }

  giveBack(index: TaskIndex): void {
    const claimed = this.has(index);
    this.release(index);
    if (claimed) this.lookAgain(index);
  }

  lookAgain(index: TaskIndex): void {
    this.#changes.returned(this.#job);
    if (index < this.#cursor && this.#returned.add(index)) this.#note(returnedEpoch);
  }

  rewind(index: TaskIndex): void {
    if (index >= this.#cursor) return;
    this.cursor = index;
    // The walk comes to these again.
    for (const returned of this.#returned.indexes()) if (returned >= index) this.#returned.delete(returned);
  }

  takeReturned(): TaskIndex | undefined {
    if (this.#returned.isEmpty) return undefined;
    const index = this.#returned.lowest();
    this.#returned.delete(index);
    this.#note(returnedEpoch);
    return index;
  }

  /** The walk is stored itself, and needs no mark. */
  lowWater(): TaskIndex {
    return 0;
  }

  flush(db: PostgresDatabase, number: number): void {
    const rows: (string | number | Uint8Array)[] = [];
    for (const epoch of this.#changed) {
      const tasks = epoch === returnedEpoch ? this.#returned : this.#sets.get(epoch);
      if (!tasks || (tasks.isEmpty && epoch !== returnedEpoch)) {
        this.#sets.delete(epoch);
        db.write("DELETE FROM claims WHERE job = ? AND epoch = ?", number, epoch);
      } else rows.push(number, epoch, epoch === returnedEpoch ? this.#cursor : 0, tasks.encode());
    }
    this.#changed.clear();
    if (rows.length === 0) return;
    const values = Array.from({ length: rows.length / 4 }, () => "(?, ?, ?, ?)").join(", ");
    db.write(
      `INSERT INTO claims (job, epoch, cursor, tasks) VALUES ${values}
       ON CONFLICT (job, epoch) DO UPDATE SET cursor = excluded.cursor, tasks = excluded.tasks`,
      ...rows,
    );
  }

  #of(epoch: number): IndexSet {
    let set = this.#sets.get(epoch);
    if (!set) this.#sets.set(epoch, (set = new IndexSet()));
    return set;
  }

  #note(epoch: number): void {
    if (this.#changed.size === 0) this.#changes.touch(this.#job);
    this.#changed.add(epoch);
  }
}
