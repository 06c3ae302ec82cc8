import type { ClientId } from "../../shared/ids.ts";
import type { Job, State } from "../scheduler/state.ts";

/** The job of each lease that a client brought back after a restart and whose task is not claimed yet. */
export function* adoptedJobs(state: Readonly<State>, client: ClientId): Generator<Job> {
  for (const job of state.jobs.values())
    for (const adopted of job.adopted.values()) if (adopted.client === client) yield job;
}
