import { PlatformError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { JobRow } from "../store.ts";
import type { Fed } from "./verbs/fed-jobs.ts";

/** Time after which passing on is tried again when the quota was full, or the disk. */
const retryMs = 1000;

/**
 * Passes outcomes of jobs on to the jobs that they feed, stride by stride. How far each job was fed is on disk, so a feeder keeps
 * nothing: after a start it goes on where the last one stopped.
 *
 * Feeding inside the transaction that records an outcome was rejected: results must be taken when the quota is full, outcomes
 * from before the fed job was made need strides anyway, and a verb that feeds many jobs would delay all other work.
 */
export class Feeder {
  readonly #step: (job: JobId) => Promise<Fed>;
  readonly #waiting = new Set<JobId>();
  readonly #retried = new Set<JobId>();
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  /** Called with each job that was fed. */
  listener: (row: JobRow) => void = () => {};

  /** @param step - passes a stride on */
  constructor(step: (job: JobId) => Promise<Fed>) {
    this.#step = step;
  }

  /** Feeds a job soon. */
  wake(job: JobId): void {
    this.#waiting.add(job);
    if (!this.#isRunning) void this.#run();
  }

  /** Feeds jobs as far as quota and disk let it. */
  async finish(jobs: readonly JobId[]): Promise<void> {
    try {
      for (const job of jobs) while ((await this.#feed(job)) === "more");
    } catch (error) {
      if (PlatformError.from(error).code === "SHUTTING_DOWN") throw error;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.size > 0) {
      const jobs = [...this.#waiting];
      this.#waiting.clear();
      // Strides of several jobs share a commit.
      await Promise.all(jobs.map((job) => this.#feedOrRetry(job)));
    }
    this.#isRunning = false;
  }

  async #feedOrRetry(job: JobId): Promise<void> {
    try {
      const left = await this.#feed(job);
      if (left === "more") this.#waiting.add(job);
      else if (left === "full") this.#retry(job);
    } catch (error) {
      if (PlatformError.from(error).code !== "SHUTTING_DOWN") this.#retry(job);
    }
  }

  async #feed(id: JobId): Promise<Fed["left"]> {
    const { job, left } = await this.#step(id);
    if (job) this.listener(job);
    return left;
  }

  #retry(job: JobId): void {
    this.#retried.add(job);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const each of this.#retried) this.wake(each);
      this.#retried.clear();
    }, retryMs).unref();
  }
}
