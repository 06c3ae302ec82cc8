/**
 * `open`: takes more tasks. `closed`: no more tasks, work goes on. `finished`: every task is done or failed. `cancelled`: every
 * unfinished task is cancelled. `quarantined`: the kernel killed its clients, and every unfinished task is failed. `blocked`: a
 * job that this job came `after` did not finish well, so every task is failed.
 */
export const jobStates = ["open", "closed", "finished", "cancelled", "quarantined", "blocked"] as const;
export type JobState = (typeof jobStates)[number];

/** Whether a job in this state takes no more outcomes; requeueing can open the job again. */
export function hasEnded(state: JobState): boolean {
  return state !== "open" && state !== "closed";
}
