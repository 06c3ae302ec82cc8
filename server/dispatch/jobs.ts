import { randomBytes } from "node:crypto";
import { PlatformError } from "../../shared/errors.ts";
import { makeJobId, type JobId, type Sha256 } from "../../shared/ids.ts";
import type { GivenOptions } from "../../shared/wire/rest/job-options.ts";
import { usualCompare } from "../../shared/wire/rest/verification.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { JobOptions } from "../../shared/wire/rest/job-options.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { Submitted } from "../../shared/wire/rest/submission.ts";
import type { Compare, Verify } from "../../shared/wire/rest/verification.ts";
import type { ChangeKind, JobRow, NewTask, Store } from "../store/store.ts";
import type { KeepJobs } from "../options.ts";
import { isPastKeeping } from "./retention.ts";
import { whyAbandoned } from "./abandoned.ts";
import { requirementsOf, type Dispatcher } from "./dispatcher.ts";
import type { JobReader } from "./job-reader.ts";
import type { JobWatch } from "./job-watch.ts";
import type { Kernels } from "./kernels.ts";
import { needsPortable } from "./needs-portable.ts";

/** Jobs of one read while old ones are looked for. */
const jobsAtOnce = 100;

/** Changes of jobs by customers: first on disk, then in the scheduler and for waiting readers. */
export class Jobs {
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;
  readonly #watch: JobWatch;
  readonly #reader: JobReader;
  readonly #kernels: Kernels;

  constructor(store: Store, dispatcher: Dispatcher, watch: JobWatch, reader: JobReader, kernels: Kernels) {
    this.#store = store;
    this.#dispatcher = dispatcher;
    this.#watch = watch;
    this.#reader = reader;
    this.#kernels = kernels;
  }

  /** Takes up a job in its stored state: after a start, and when another job released it, blocked it or opened it again. */
  takeUp(row: JobRow): void {
    this.#watch.update(row);
    if (hasEnded(row.state)) this.#dispatcher.feed({ type: "jobEnded", job: row.id });
    // The scheduler does not know a job that still waits for another job.
    else if (row.waitingFor.length === 0) this.#dispatcher.addJob(row);
  }

  /** Notes that outputs of another job became tasks of this one, or that there are no more. */
  takeFed(row: JobRow): void {
    this.takeUp(row);
    if (!hasEnded(row.state)) this.#dispatcher.feed({ type: "tasksAdded", job: row.id, again: true });
  }

  /** Takes up another server's changes of a job. */
  async takeNews(id: JobId, kinds: ReadonlySet<ChangeKind>): Promise<void> {
    const row = await this.#store.getJob(id);
    const isKnown = this.#dispatcher.scheduler.state.jobs.has(id);
    if (!row || hasEnded(row.state) || row.waitingFor.length > 0) {
      if (row) this.#watch.update(row);
      else this.#watch.forget(id);
      if (isKnown) this.#dispatcher.feed({ type: "jobEnded", job: id });
      return;
    }
    this.#watch.update(row);
    if (!isKnown) return this.#dispatcher.addJob(row);
    this.#dispatcher.changeJob(row);
    if (kinds.has("tasks"))
      this.#dispatcher.feed({ type: "tasksAdded", job: id, again: true, requeued: kinds.has("state") });
  }

  async create(
    given: GivenOptions & { customer: string; kernel: Sha256 },
  ): Promise<{ job: JobInfo; created: boolean }> {
    const options = { ...given, compare: given.compare ?? usualCompare(given.requires) };
    checkVerification(options);
    const source = await this.#kernels.require(options.kernel, options.customer);
    const { job, created } = await this.#store.createJob({
      ...options,
      id: makeJobId(randomBytes),
      kernel: { sha256: options.kernel, size: source.length },
      portable: options.math === "portable" && needsPortable(source),
      createdAt: Date.now(),
    });
    if (created) this.takeUp(job);
    return { job: await this.#reader.describe(job), created };
  }

  async submit(id: JobId, tasks: readonly NewTask[]): Promise<Submitted> {
    const submitted = await this.#store.submit(id, tasks);
    if (submitted.added > 0) {
      this.#watch.update(await this.#reader.row(id));
      this.#dispatcher.feed({ type: "tasksAdded", job: id, again: true });
      // The new leases leave before the reply: behind the reply, a task took 5 to 10 % longer.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return submitted;
  }

  async close(id: JobId): Promise<JobInfo> {
    return this.#changed(await this.#store.closeJob(id));
  }

  async cancel(id: JobId): Promise<JobInfo> {
    return this.#changed(await this.#store.endJob(id, "cancelled"));
  }

  async cancelGroup(filter: { customer?: string; group: string }): Promise<JobInfo[]> {
    const rows = (await this.#store.listJobs(filter)).filter(
      // A blocked job has not ended for good: requeueing the job that blocks it lets it go on.
      ({ state }) => !hasEnded(state) || state === "blocked",
    );
    // Newest first: a waiting job is cancelled before the job it waits for could block it.
    const ended = await Promise.all(rows.map(({ id }) => this.#store.endJob(id, "cancelled")));
    return Promise.all(ended.map((row) => this.#changed(row)));
  }

  /**
   * Ends the open jobs whose customers are gone. To be called regularly.
   * @param now - ms since the Unix epoch
   * @param elsewhere - jobs that readers follow at other servers
   */
  async endAbandoned(now: number, elsewhere: ReadonlySet<string>): Promise<number> {
    let ended = 0;
    for (const row of await this.#store.listJobs({ active: true })) {
      const reason = whyAbandoned(row, now);
      if (!reason || this.#watch.isFollowed(row.id) || elsewhere.has(row.id)) continue;
      await this.#changed(await this.#store.endJob(row.id, "cancelled", reason));
      ended += 1;
    }
    return ended;
  }

  /**
   * Deletes ended jobs whose time is over, unless somebody reads their results. To be called regularly.
   * @param now - ms since the Unix epoch
   * @param elsewhere - jobs that readers follow at other servers
   */
  async deleteOld(kept: KeepJobs, now: number, elsewhere: ReadonlySet<string>): Promise<number> {
    let deleted = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#store.pageOfJobs({ active: false }, jobsAtOnce, cursor);
      for (const row of page.rows) {
        if (!isPastKeeping(row, kept, now) || this.#watch.isFollowed(row.id) || elsewhere.has(row.id))
          continue;
        try {
          await this.delete(row.id);
          deleted++;
        } catch (error) {
          // Its customer deleted the job meanwhile.
          if (!(error instanceof PlatformError && error.code === "NOT_FOUND")) throw error;
        }
      }
      cursor = page.next;
    } while (cursor !== undefined);
    return deleted;
  }

  async setPaused(id: JobId, paused: boolean): Promise<JobInfo> {
    const row = await this.#store.setPaused(id, paused);
    this.#dispatcher.feed({ type: "jobChanged", job: id, paused });
    return this.#changed(row);
  }

  async setPriority(id: JobId, priority: number): Promise<JobInfo> {
    const row = await this.#store.setPriority(id, priority);
    this.#dispatcher.feed({ type: "jobChanged", job: id, priority });
    return this.#changed(row);
  }

  async setVerify(id: JobId, options: { verify: Verify; compare: Compare }): Promise<JobInfo> {
    const { check } = await this.#reader.row(id);
    checkVerification({ ...options, check });
    const row = await this.#store.setVerify(id, options);
    const verification = { ...options, requires: requirementsOf(row) };
    this.#dispatcher.feed({ type: "jobChanged", job: id, verification });
    return this.#changed(row);
  }

  async requeueFailed(
    id: JobId,
    among?: (failure: TaskFailure) => boolean,
  ): Promise<{ requeued: number; job: JobInfo }> {
    const { requeued, job } = await this.#store.requeueFailed(id, among);
    this.takeUp(job);
    if (requeued > 0) this.#dispatcher.feed({ type: "tasksAdded", job: id, again: true, requeued: true });
    return { requeued, job: await this.#reader.describe(job) };
  }

  /** @throws PlatformError NOT_FOUND */
  async delete(id: JobId): Promise<void> {
    await this.#reader.row(id);
    await this.#store.deleteJob(id);
    this.#dispatcher.feed({ type: "jobEnded", job: id });
    this.#watch.forget(id);
  }

  /** Wakes the waiting readers; an ended job leaves the scheduler. */
  async #changed(row: JobRow): Promise<JobInfo> {
    this.#watch.update(row);
    if (hasEnded(row.state)) this.#dispatcher.feed({ type: "jobEnded", job: row.id });
    return this.#reader.describe(row);
  }
}

/** @throws PlatformError BAD_REQUEST for options that do not go together */
function checkVerification({
  verify,
  compare,
  check,
}: Pick<JobOptions, "verify" | "compare" | "check">): void {
  if (typeof verify !== "object" || (compare !== "kernel" && !check)) return;
  throw new PlatformError(
    "BAD_REQUEST",
    `A quorum does not go with ${check ? "check: true" : 'compare: "kernel"'}, because a quorum has no trusted client that could call the kernel's function. Expected compare: "bits" or a tolerance, without check; or verify: "audit".`,
  );
}
