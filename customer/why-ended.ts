import type { JobInfo } from "../shared/wire/rest/jobs.ts";

/** The reason why a job is blocked, for people. */
export function whyBlocked(job: JobInfo): string {
  const reason = job.failures.find(({ kind }) => kind === "blocked");
  return `Job ${job.id} is blocked: ${reason?.message ?? "a job it comes after did not finish well."}`;
}

/** The reason why a job was quarantined, for people. */
export function whyQuarantined({ id, counts: { done, total }, failures }: JobInfo): string {
  // The reason of the job comes after those of its tasks.
  const reason = failures.at(-1)?.message ?? "";
  return `Job ${id} was quarantined with ${done} of ${total} tasks done. ${reason}`.trim();
}
