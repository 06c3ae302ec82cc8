import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { JobId } from "../../shared/ids.ts";
import type { JobListState, JobSort } from "../../shared/wire/rest/job-list.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import type { JobInfo, JobProgress } from "../../shared/wire/rest/jobs.ts";
import type { PageSize } from "../page-size.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { ServerDirectory } from "../server-directory.ts";
import type { JobFilter, JobRow, ProvisionalResult, ResultRow, Store } from "../store/store.ts";
import { describeJob, failuresShown, progressOf } from "./job-info.ts";
import { logLinesPerJob, type JobWatch, type LogLine } from "./job-watch.ts";
import type { MissingData } from "./missing-data.ts";
import type { News } from "./news.ts";
import type { ProvisionalFollower, ProvisionalFollowers } from "./provisional-followers.ts";

/** A filter for jobs, and a page of the matching ones. */
export interface JobQuery {
  readonly customer?: string;
  readonly group?: string;
  readonly search?: string;
  readonly state?: JobListState;
  readonly sort?: JobSort;
  readonly limit: number;
  readonly cursor?: string;
}

interface Sources {
  readonly store: Store;
  readonly scheduler: Scheduler;
  readonly watch: JobWatch;
  readonly news: News<JobId>;
  readonly followers: ProvisionalFollowers;
  readonly missing: Pick<MissingData, "of">;
  /** The other servers, which lease tasks of the same jobs. */
  readonly directory?: Pick<ServerDirectory, "others" | "ask"> | undefined;
}

/** Reads jobs and their results, now and as they change. Changes nothing. */
export class JobReader {
  readonly #store: Store;
  readonly #scheduler: Scheduler;
  readonly #watch: JobWatch;
  readonly #news: News<JobId>;
  readonly #followers: ProvisionalFollowers;
  readonly #directory: Pick<ServerDirectory, "others" | "ask"> | undefined;
  readonly #missing: Pick<MissingData, "of">;

  constructor({ store, scheduler, watch, news, followers, directory, missing }: Sources) {
    this.#store = store;
    this.#scheduler = scheduler;
    this.#watch = watch;
    this.#news = news;
    this.#followers = followers;
    this.#directory = directory;
    this.#missing = missing;
  }

  /** @throws PlatformError NOT_FOUND */
  async row(id: JobId): Promise<JobRow> {
    const row = await this.#store.getJob(id);
    if (!row) throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
    return row;
  }

  async describe(row: JobRow): Promise<JobInfo> {
    const failures = row.failed > 0 ? await this.#store.failures(row.id, failuresShown) : [];
    return describeJob(row, this.#standing(row), failures);
  }

  /** @throws PlatformError NOT_FOUND */
  async job(id: JobId): Promise<JobInfo> {
    return this.describe(await this.row(id));
  }

  /** A page of jobs, newest first by default. `next` names the page behind it; absent on the last page. */
  async jobs({
    state,
    sort,
    limit,
    cursor,
    ...filter
  }: JobQuery): Promise<{ jobs: JobInfo[]; next?: string }> {
    const { rows, next } = await this.#store.pageOfJobs(this.#filterOf(filter, state), limit, cursor, sort);
    const jobs = await Promise.all(rows.map((row) => this.describe(row)));
    return { jobs, ...(next !== undefined && { next }) };
  }

  #filterOf(filter: JobFilter, state: JobListState | undefined): JobFilter {
    switch (state) {
      case undefined:
        return filter;
      case "active":
      case "ended":
        return { ...filter, active: state === "active" };
      case "failing":
        return { ...filter, failing: true };
      case "running":
        return { ...filter, ids: [...this.runningJobs().keys()] };
      default:
        return { ...filter, states: [state] };
    }
  }

  results(id: JobId, after: number, { items, bytes }: PageSize): Promise<ResultRow[]> {
    return this.#store.results(id, after, items, bytes);
  }

  provisionalResults(id: JobId, after: number, { items, bytes }: PageSize): Promise<ProvisionalResult[]> {
    return this.#store.provisionalResults(id, after, items, bytes);
  }

  followProvisional(id: JobId): ProvisionalFollower {
    return this.#followers.follow(id);
  }

  async provisionalChanged(
    id: JobId,
    follower: ProvisionalFollower,
    signal: AbortSignal,
    atMostMs: number,
  ): Promise<void> {
    const until = performance.now() + atMostMs;
    for (let leftMs = atMostMs; leftMs > 0 && !signal.aborted; leftMs = until - performance.now()) {
      if (!this.#watch.row(id)) this.#watch.update(await this.row(id));
      const row = this.#watch.row(id);
      if (follower.hasNews || (row && hasEnded(row.state))) return;
      await this.#watch.changed(id, signal, leftMs);
    }
  }

  async resultsChanged(id: JobId, after: number, signal: AbortSignal, atMostMs: number): Promise<void> {
    const until = performance.now() + atMostMs;
    for (let leftMs = atMostMs; leftMs > 0 && !signal.aborted; leftMs = until - performance.now()) {
      const row = await this.row(id);
      if (hasEnded(row.state) || (await this.#hasResults(row, after))) return;
      if (!this.#watch.row(id)) this.#watch.update(row);
      await this.#watch.changed(id, signal, leftMs);
    }
  }

  /** Whether there is an outcome after a sequence number. Those of tasks that were requeued are gone (SPEC.md [FLOW-5]). */
  async #hasResults({ id, lastSeq, done, failed }: JobRow, after: number): Promise<boolean> {
    if (lastSeq <= after) return false;
    const hasAll = lastSeq === done + failed;
    return hasAll || (await this.#store.results(id, after, 1, 1)).length > 0;
  }

  /** The progress of a job, from memory while the job is watched. @throws PlatformError NOT_FOUND */
  async progress(id: JobId): Promise<JobProgress> {
    const row = this.#watch.row(id) ?? (await this.row(id));
    return progressOf(row, this.#standing(row));
  }

  #standing({ id, customer }: JobRow) {
    const quotaFull = this.#scheduler.state.full.has(customer);
    const sum = this.#scheduler.progress(id);
    for (const { running } of this.#directory?.others ?? [])
      for (const [job, count, done] of running)
        if (job === id) {
          sum.running += count;
          sum.done += done;
        }
    return {
      ...sum,
      rate: this.#watch.rate(id),
      measured: this.#watch.measured(id),
      quotaFull,
      missingData: this.#missing.of(id),
    };
  }

  /** Number of leased tasks of each job that has any, at all servers. */
  runningJobs(): Map<JobId, number> {
    const jobs = this.#scheduler.runningJobs();
    for (const { running } of this.#directory?.others ?? [])
      for (const [id, count] of running) jobs.set(id as JobId, (jobs.get(id as JobId) ?? 0) + count);
    return jobs;
  }

  moved(id: JobId, signal: AbortSignal): Promise<void> {
    return this.#news.next(id, signal);
  }

  async logs(
    id: JobId,
    of: "all" | "own" = "all",
  ): Promise<{ lines: readonly LogLine[]; silent: readonly string[] }> {
    const asked = of === "all" ? this.#directory?.ask<LogLine[]>(`/api/jobs/${id}/logs?of=own`) : undefined;
    const { answers, silent } = (await asked) ?? { answers: [], silent: [] };
    const own = this.#watch.logs(id);
    if (answers.length === 0) return { lines: own, silent };
    const lines = [...own, ...answers.flat()].toSorted((a, b) => a.at - b.at).slice(-logLinesPerJob);
    return { lines, silent };
  }
}
