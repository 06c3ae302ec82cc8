import { setTimeout as sleep } from "node:timers/promises";
import type { JobInfo, JobState } from "../shared/rest.ts";
import type { Api } from "./api.ts";
import type { JobId } from "../shared/ids.ts";

/** How a job stands; given to `onProgress` about once a second and once at the end. */
export interface Progress {
  readonly state: JobState;
  readonly paused: boolean;
  /** Jobs that must finish first. */
  readonly waitingFor: readonly string[];
  /** Tasks submitted so far; grows until the inputs are at their end. */
  readonly total: number;
  readonly queued: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Work that is over, 0 … 1: tasks that have ended, and of running ones the share that their kernels last told. */
  readonly fraction: number;
  /** Tasks per second over the last minute. */
  readonly rate: number;
  /** Milliseconds until the job ends at this rate; null when unknown. */
  readonly estimatedMs: number | null;
  /** Milliseconds since the server last answered, once that is worth telling (10 s); else 0. */
  readonly offlineMs: number;
}

const everyMs = 1000;

/** The {@link Progress} of what the server tells of a job. */
export function progressOf(job: JobInfo, offlineMs = 0): Progress {
  const { state, paused, waitingFor, counts, fraction, rate, estimatedMs } = job;
  return { state, paused, waitingFor, ...counts, fraction, rate, estimatedMs, offlineMs };
}

/** Whether nothing more will happen to a job in this state. */
export function hasEnded(state: JobState): boolean {
  return state !== "open" && state !== "closed";
}

/** Tells `listener` how the job stands until it has ended or `signal` is aborted. Does not keep the process alive. */
export async function watchProgress(
  api: Api,
  id: JobId,
  options: { signal: AbortSignal; listener: (progress: Progress) => void },
): Promise<void> {
  const { signal, listener } = options;
  let job: JobInfo | undefined;
  while (!signal.aborted) {
    // The job's own requests say what is wrong, if it stays so; here an outage only shows.
    const answer = await api.job(id, { signal, patienceMs: 0 }).catch(() => undefined);
    const offlineMs = answer ? 0 : api.http.outage.ms;
    job = answer ?? job;
    if (signal.aborted) return;
    if (job && (answer || offlineMs > 0)) listener(progressOf(job, offlineMs));
    if (answer && hasEnded(answer.state)) return;
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
