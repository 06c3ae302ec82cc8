import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { PlatformError } from "../shared/errors.ts";
import { hasEnded, type JobState } from "../shared/wire/rest/job-state.ts";
import { jobProgressSchema, type JobProgress } from "../shared/wire/rest/jobs.ts";
import type { Statement } from "../shared/wire/rest/verification.ts";
import type { Api } from "./api.ts";
import { jsonLines } from "./line-stream.ts";
import type { JobId } from "../shared/ids.ts";

/** Progress of a job; pushed to `onProgress` when it changes, at most four times a second, and once at the end. */
export interface Progress {
  readonly state: JobState;
  readonly paused: boolean;
  /** Jobs that must finish first. */
  readonly waitingFor: readonly string[];
  /** The customer's quota of stored bytes is full: no task is computed before there is room (`hands.usage()`). */
  readonly quotaFull: boolean;
  /** SHA-256 of data that is damaged on the server's disk: tasks that need the data wait until they are put again (`hands.put`, or the same map again). */
  readonly missingData: readonly string[];
  /** Tasks submitted so far; grows until the inputs end. */
  readonly total: number;
  readonly queued: number;
  readonly running: number;
  /** Results of volunteers that are not accepted yet; they are among neither `queued` nor `done`. */
  readonly provisional: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Counts of the verification of volunteers' results so far. */
  readonly statement: Statement;
  /** Finished share of the work, 0 … 1: ended tasks, and for running tasks the share that their kernels reported last. */
  readonly fraction: number;
  /** Tasks per second over the last minute. */
  readonly rate: number;
  /** Milliseconds until the job ends at this rate; null while unknown. */
  readonly estimatedMs: number | null;
  /** Milliseconds since the server's last answer, when long enough to be reported (10 s); else 0. */
  readonly offlineMs: number;
}

/** Period of requests while progress is not pushed, and of reports of an outage. */
const everyMs = 1000;

/** The {@link Progress} of the server's report on a job. */
export function progressOf(job: JobProgress, offlineMs = 0): Progress {
  const { counts, ...rest } = job;
  return { ...rest, ...counts, offlineMs };
}

/**
 * Calls `listener` with the progress that the server pushes, until the job has ended or `signal` is aborted. Without a
 * connection, or when the server has too many readers, the job is requested once a second. Does not keep the process alive.
 */
export async function watchProgress(
  api: Api,
  id: JobId,
  options: { signal: AbortSignal; listener: (progress: Progress) => void },
): Promise<void> {
  const { signal, listener } = options;
  let newest: JobProgress | undefined;
  const tell = (job: JobProgress): void => {
    newest = job;
    if (!signal.aborted) listener(progressOf(job));
  };
  const isOver = (): boolean => signal.aborted || (newest !== undefined && hasEnded(newest.state));
  while (!isOver()) {
    // A lasting failure shows in the job's own requests; here an outage only shows as progress.
    const refusal = await follow(api, id, signal, tell).catch((error: unknown) => error);
    if (isOver()) return;
    if (refusal instanceof PlatformError && !refusal.retryable) return;
    if (refusal instanceof PlatformError && refusal.code === "TOO_MANY")
      await api.job(id, { signal, patienceMs: 0 }).then(tell, () => undefined);
    const offlineMs = api.http.outage.ms;
    if (newest && offlineMs > 0 && !isOver()) listener(progressOf(newest, offlineMs));
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Passes on each pushed progress. @throws PlatformError when the server refuses, is away, or goes away */
async function follow(
  api: Api,
  id: JobId,
  signal: AbortSignal,
  tell: (job: JobProgress) => void,
): Promise<void> {
  const path = `api/jobs/${id}/progress`;
  const response = await api.http.open({ method: "GET", path, signal, patienceMs: 0, background: true });
  for await (const line of jsonLines(response)) tell(v.parse(jobProgressSchema, line));
}
