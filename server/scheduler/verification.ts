import type { ProvisionalWindow } from "../store/store.ts";
import { Doubt } from "./doubt.ts";
import type { Verification } from "./events.ts";
import { takeFromStrangers } from "./leases.ts";
import { quorumOf, takeUpOpinion, withdrawOpinion } from "./quorum.ts";
import type { Job, State } from "./state.ts";
import { acceptUnverified, takeUpWindow, withdraw } from "./windows.ts";

/** Takes up provisional results that an earlier server left. */
export function takeUp(state: State, window: ProvisionalWindow): void {
  const job = state.jobs.get(window.job);
  if (job && quorumOf(job) !== undefined) takeUpOpinion(state, window);
  else takeUpWindow(state, window);
}

/** The customer changed how the job is verified. Provisional results stay only where they can still be judged. */
export function changeVerification(
  state: State,
  job: Job,
  { verify, compare, requires }: Verification,
): void {
  const hadQuorum = quorumOf(job) !== undefined;
  job.info = { ...job.info, verify, compare, requires, irreproducible: false };
  job.doubt = new Doubt();
  if (requires.trusted) takeFromStrangers(state, job);
  state.unmet.delete(job);
  state.uncomputed.delete(job);
  if (hadQuorum) withdrawOpinions(state, job);
  for (const window of job.windows.values())
    if (verify === "off") acceptUnverified(state, window);
    else if (verify !== "audit") withdraw(state, window, { withdrawn: window.results.length });
}

function withdrawOpinions(state: State, job: Job): void {
  for (const [index, opinions] of job.opinions)
    for (const opinion of opinions) withdrawOpinion(state, job, index, opinion, { withdrawn: 1 });
  job.opinions.clear();
  job.disputed.clear();
  for (const task of job.tasks.values()) {
    if (!task.opinions) continue;
    if (task.place === "queued") {
      job.seconds.take(task);
      job.queue.putBack(task);
    }
    task.opinions = undefined;
  }
}
