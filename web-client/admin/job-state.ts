import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { plural } from "../ui/format.ts";

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
  if (state === "cancelled") return { label: "cancelled", tone: "quiet" };
  if (state === "quarantined") return { label: "quarantined", tone: "bad" };
  if (state === "finished")
    return counts.failed > 0
      ? { label: "ended with failures", tone: "bad" }
      : { label: "done", tone: "good" };
  if (state === "blocked") return { label: "blocked", tone: "bad" };
  if (paused) return { label: "paused", tone: "warning" };
  if (job.quotaFull) return { label: "quota full", tone: "warning" };
  if (job.missingData.length > 0)
    return { label: `${plural(job.missingData.length, "blob")} to be put again`, tone: "warning" };
  if (job.statement.irreproducible) return { label: "not reproducible", tone: "warning" };
  if (waitingFor.length > 0) return { label: `waits for ${plural(waitingFor.length, "job")}`, tone: "quiet" };
  if (counts.running > 0) return { label: "running", tone: "busy" };
  if (counts.provisional > 0) return { label: "verifying", tone: "busy" };
  if (counts.queued > 0) return { label: "waiting", tone: "quiet" };
  return { label: "open", tone: "quiet" };
}
