import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import { loseCredit, takeFromStrangers } from "./leases.ts";
import type { Job, State, Window } from "./state.ts";
import { burnCohort } from "./reputation.ts";
import { auditInFull, giveUpResult, withdraw } from "./windows.ts";

/** Consequences of a result that was found wrong (SPEC.md [VERIFY-4], [VERIFY-5]). */

/**
 * Bans the author of a wrong result, withdraws all provisional results of that client, and has the pending newcomers of its cohort audited in full.
 * @param how - the result failed the kernel module's `check`, or differed from two audits
 */
export function banStranger(state: State, window: Window, index: TaskIndex, how: "check" | "audit"): void {
  const { job, cohort } = window;
  job.doubt.noteWrong(index, cohort);
  if (job.doubt.isOfKernel) return doubtKernel(state, job);
  const author = window.continued?.get(index) ?? window.client;
  if (author !== window.client) {
    // Identities of one person may take the blame for each other.
    auditInFull(state, window);
    giveUpContinued(state, job, author);
  }
  job.banned.add(author);
  withdrawAll(state, author, window);
  burnCohort(state, cohort);
  loseCredit(state, state.clients.get(author));
  const why = how === "check" ? "failed the check of its kernel" : "differed from what others computed twice";
  const reason = `its result of task ${index} of job ${job.id} ${why}`;
  state.out.push({ type: "barClient", client: author, reason });
  auditNewcomers(state, cohort);
}

/** Withdraws the results of other clients that went on from a checkpoint of the author. */
function giveUpContinued(state: State, job: Job, author: ClientId): void {
  for (const window of job.windows.values())
    for (const [index, by] of window.continued ?? [])
      if (by === author && window.results.includes(index)) giveUpResult(state, window, index);
}

function withdrawAll(state: State, author: ClientId, wrong: Window): void {
  const reputation = state.reputations.get(author);
  if (!reputation) return;
  reputation.clean = 0;
  for (const window of reputation.windows)
    withdraw(state, window, { wrong: window === wrong ? 1 : 0, withdrawn: window.results.length });
}

function auditNewcomers(state: State, cohort: string): void {
  for (const { clean, windows } of state.reputations.values()) {
    if (clean > 0) continue;
    for (const window of windows) if (window.cohort === cohort) auditInFull(state, window);
  }
}

/** The kernel gives different results on different clients: only trusted clients compute the job from now on. */
export function doubtKernel(state: State, job: Job): void {
  job.info = { ...job.info, irreproducible: true, requires: { ...job.info.requires, trusted: true } };
  for (const window of job.windows.values()) withdraw(state, window, { withdrawn: window.results.length });
  takeFromStrangers(state, job);
  state.unmet.delete(job);
  state.uncomputed.delete(job);
  state.supplyChanged = true;
  state.out.push({ type: "noteIrreproducible", job: job.id });
  if (job.banned.size > 0) state.out.push({ type: "pardonClients", clients: [...job.banned] });
  job.banned.clear();
}
