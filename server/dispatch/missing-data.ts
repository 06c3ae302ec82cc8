import type { JobId, Sha256 } from "../../shared/ids.ts";
import type { Store } from "../store/store.ts";

/** The jobs of missing data are read again when they were read longer ago: jobs come and go. */
const freshMs = 2_000;
/** Most jobs that are told of one piece of missing data. */
const maxJobs = 1_000;

const none: readonly Sha256[] = Object.freeze([]);

/** Blobs and kernels that are damaged on the server's disk, and the jobs that need them put again (SPEC.md [ROT-6]). */
export class MissingData {
  readonly #store: Pick<Store, "jobsOfBlob">;
  readonly #tell: (job: JobId) => void;
  readonly #names = new Set<Sha256>();
  #byJob = new Map<JobId, Sha256[]>();
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  /** @param tell - called with jobs whose missing data changed */
  constructor(store: Pick<Store, "jobsOfBlob">, tell: (job: JobId) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  has(sha256: Sha256): boolean {
    return this.#names.has(sha256);
  }

  set(sha256: Sha256, isMissing: boolean): void {
    if (isMissing) this.#names.add(sha256);
    else this.#names.delete(sha256);
    this.#readAt = -Infinity;
    void this.refresh();
  }

  /** Missing data of the job, as last read. */
  of(job: JobId): readonly Sha256[] {
    if (this.#names.size > 0 && performance.now() - this.#readAt > freshMs) void this.refresh();
    return this.#byJob.get(job) ?? none;
  }

  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    while (performance.now() - this.#readAt > freshMs) {
      this.#readAt = performance.now();
      const byJob = new Map<JobId, Sha256[]>();
      for (const sha256 of this.#names)
        for (const job of await this.#store.jobsOfBlob(sha256, maxJobs).catch(() => []))
          byJob.set(job, [...(byJob.get(job) ?? []), sha256]);
      const before = this.#byJob;
      this.#byJob = byJob;
      for (const job of new Set([...before.keys(), ...byJob.keys()]))
        if (before.get(job)?.join() !== byJob.get(job)?.join()) this.#tell(job);
    }
  }
}
