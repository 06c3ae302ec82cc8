import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { texts } from "./texts/current.ts";

interface JobStateLabel {
  readonly label: string;
  readonly tone: "busy" | "quiet" | "good" | "warning" | "bad";
}

/** A word for a job's state: a job that ended without failures is "done". */
export function jobStateOf(
  job: Pick<
    JobInfo,
    "state" | "paused" | "counts" | "waitingFor" | "quotaFull" | "missingData" | "statement"
  >,
): JobStateLabel {
  const { state, paused, counts, waitingFor } = job;
  const { states } = texts.job;
  if (state === "cancelled") return { label: states.cancelled, tone: "quiet" };
  if (state === "quarantined") return { label: states.quarantined, tone: "bad" };
  if (state === "finished")
    return counts.failed > 0
      ? { label: states.endedWithFailures, tone: "bad" }
      : { label: states.done, tone: "good" };
  if (state === "blocked") return { label: states.blocked, tone: "bad" };
  if (paused) return { label: states.paused, tone: "warning" };
  if (job.quotaFull) return { label: states.quotaFull, tone: "warning" };
  if (job.missingData.length > 0)
    return { label: states.missingData(texts.counts.blobs(job.missingData.length)), tone: "warning" };
  if (job.statement.irreproducible) return { label: states.irreproducible, tone: "warning" };
  if (waitingFor.length > 0)
    return { label: states.waitsFor(texts.counts.jobs(waitingFor.length)), tone: "quiet" };
  if (counts.running > 0) return { label: states.running, tone: "busy" };
  if (counts.provisional > 0) return { label: states.verifying, tone: "busy" };
  if (counts.queued > 0) return { label: states.waiting, tone: "quiet" };
  return { label: states.open, tone: "quiet" };
}
