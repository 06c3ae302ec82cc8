import type { ClientId, TaskIndex } from "../../shared/ids.ts";
import type { Checks, ProvisionalWindow, WindowName } from "../store/store.ts";
import { ignore } from "./ignore.ts";
import {
  countAgreed,
  countClean,
  evidenceOf,
  forgetUnknown,
  reputationOf,
  ripeAudits,
} from "./reputation.ts";
import { removeTask, settle } from "./settling.ts";
import type { Client, Job, Run, State, Task, Window } from "./state.ts";
import { canAudit, isTrustedExpected } from "./who-audits.ts";

const windowResults = 256;
const windowMs = 15 * 60_000;
/** Age of a window at which audits by strangers are given up. */
const strangersAuditMs = 2 * windowMs;
const newcomerAudits = 2;
const auditRate = 0.12;
const leastAuditRate = 0.03;

/** Whether the results of this client for this job are provisional. */
export function isProvisional({ info }: Client, job: Job): boolean {
  return !info.trusted && job.info.verify !== "off";
}

/** Adds a result to the client's open window of the job, and closes the window when it is full. */
export function addToWindow(
  state: State,
  job: Job,
  { info: { id, cohort } }: Client,
  index: TaskIndex,
  checkpointBy: ClientId | undefined,
): Window {
  const reputation = reputationOf(state, id);
  let window = job.openWindows.get(id);
  if (!window) {
    window = newWindow(state, job, { number: state.nextWindow++, client: id, cohort });
    job.openWindows.set(id, window);
    reputation.windows.add(window);
  }
  window.results.push(index);
  window.unkept += 1;
  if (checkpointBy !== undefined && checkpointBy !== id)
    (window.continued ??= new Map()).set(index, checkpointBy);
  if (window.results.length >= windowResults) close(state, window);
  return window;
}

function newWindow(state: State, job: Job, name: WindowName): Window {
  const window: Window = {
    ...name,
    job,
    openedAt: state.now,
    results: [],
    unkept: 0,
    place: "open",
    isFull: false,
    pending: new Set(),
    chosen: new Set(),
    agreed: new Set(),
    continued: undefined,
    checked: 0,
    unverified: 0,
  };
  job.windows.set(name.number, window);
  return window;
}

/** Takes up a window that an earlier server left: its session is over. */
export function takeUpWindow(state: State, { job: id, indexes, ...name }: ProvisionalWindow): void {
  const job = state.jobs.get(id);
  if (!job) return ignore(state, "a window of an unknown job", { job: id });
  const window = newWindow(state, job, name);
  window.results.push(...indexes);
  reputationOf(state, name.client).windows.add(window);
  close(state, window);
  inspect(window, indexes);
}

/** The store has these provisional results; the outputs of `dropped` came too late. */
export function noteKept(
  state: State,
  job: Job,
  number: number,
  kept: readonly TaskIndex[],
  dropped: readonly TaskIndex[],
): void {
  state.counts.droppedResults += dropped.length;
  for (const index of [...kept, ...dropped])
    // An audit of another result of the task goes on.
    if (!job.tasks.get(index)?.audit) removeTask(state, job, index);
  const window = job.windows.get(number);
  if (!window) return;
  if (dropped.length > 0) window.results = window.results.filter((index) => !dropped.includes(index));
  window.unkept -= kept.length + dropped.length;
  inspect(window, kept);
  auditAgain(window, kept);
  advance(state, window);
}

/** Has results audited at once of tasks at which another cohort was found wrong: they tell whether the kernel is at fault (SPEC.md [VERIFY-5]). */
function auditAgain(window: Window, kept: readonly TaskIndex[]): void {
  const { job, cohort, pending, chosen } = window;
  const refuted = kept.filter((index) => job.doubt.isRefuted(index, cohort));
  for (const index of refuted) chosen.add(index);
  // A result that is being inspected is computed after that.
  const indexes = refuted.filter((index) => !pending.has(index));
  for (const index of indexes) pending.add(index);
  if (indexes.length > 0) job.unread.add({ window, indexes, inspect: false });
}

/** The store refused these provisional results; their clients send them again. */
export function noteUnkept(state: State, job: Job, number: number, indexes: readonly TaskIndex[]): void {
  const window = job.windows.get(number);
  if (!window) return;
  window.results = window.results.filter((index) => !indexes.includes(index));
  window.unkept -= indexes.length;
  advance(state, window);
}

/** Has every result looked at by the kernel module's `check`. */
function inspect(window: Window, indexes: readonly TaskIndex[]): void {
  const { job } = window;
  if (!job.info.check || indexes.length === 0) return;
  for (const index of indexes) window.pending.add(index);
  job.unread.add({ window, indexes, inspect: true });
}

/** Closes the windows of a client whose session ended. */
export function endSession(state: State, client: ClientId): void {
  for (const window of state.reputations.get(client)?.windows ?? []) close(state, window);
  forgetUnknown(state, client);
}

/** Closes and accepts windows whose time has come. */
export function passTime(state: State): void {
  for (const job of state.jobs.values()) {
    if (job.windows.size === 0) continue;
    isTrustedExpected(state, job);
    closeIdle(state, job);
    for (const window of job.windows.values()) {
      const ageMs = state.now - window.openedAt;
      if (window.place === "open" && ageMs >= windowMs) close(state, window);
      // Cohorts that disagree may wait for a third one that never comes.
      const isLate = ageMs >= strangersAuditMs && !job.info.paused;
      if (window.place === "judging" && isLate && !isTrustedExpected(state, job)) giveUpAudits(state, window);
      advance(state, window);
    }
  }
}

/**
 * Of a job that has nothing left to hand out: closes the windows of clients without a task of it, and accepts clean windows. All of them are looked at
 * when the job has run dry, and afterwards only that of the client: at the end of a job, thousands of windows are open while results come.
 */
export function closeIdleOf(state: State, job: Job, client: ClientId): void {
  const wasDry = job.isDry;
  job.isDry = !hasMore(job);
  if (!job.isDry || job.windows.size === 0) return;
  if (!wasDry) return closeIdle(state, job);
  const window = job.openWindows.get(client);
  if (window && !holdsTaskOf(state, client, job)) close(state, window);
}

function closeIdle(state: State, job: Job): void {
  if (hasMore(job)) return;
  for (const window of job.windows.values())
    if (window.place === "clean") advance(state, window);
    else if (window.place === "open" && !holdsTaskOf(state, window.client, job)) close(state, window);
}

function hasMore({ exhausted, queue }: Job): boolean {
  return !exhausted || queue.size > 0;
}

function holdsTaskOf({ clients }: State, id: ClientId, job: Job): boolean {
  for (const { task } of clients.get(id)?.leases ?? []) if (task.job === job) return true;
  return false;
}

/** Closes a window: it takes no more results, and is judged. */
export function close(state: State, window: Window): void {
  if (window.place !== "open") return;
  window.place = "closed";
  window.job.openWindows.delete(window.client);
  advance(state, window);
}

/** Takes a window as far on its way as it can go. */
export function advance(state: State, window: Window): void {
  if (window.place === "closed" && window.unkept === 0) startAudits(state, window);
  if (window.place === "judging" && window.pending.size > 0 && !canAudit(state, window))
    giveUpAudits(state, window);
  if (window.place === "judging" && window.pending.size === 0) window.place = "clean";
  if (window.place === "clean" && isRipe(state, window)) accept(state, window);
}

function startAudits(state: State, window: Window): void {
  const { job, results, pending, chosen } = window;
  window.place = "judging";
  if (results.length === 0) return forgetWindow(state, window);
  const added: TaskIndex[] = [];
  for (const index of chooseAudits(state, window)) {
    chosen.add(index);
    // A result that is being inspected is computed after that.
    if (pending.has(index)) continue;
    pending.add(index);
    added.push(index);
  }
  if (added.length > 0) job.unread.add({ window, indexes: added, inspect: false });
}

/**
 * Ends the audits of a window that has no auditor: its results are accepted unverified (SPEC.md [VERIFY-6]), but for those that a trusted client
 * contradicted.
 */
function giveUpAudits(state: State, window: Window): void {
  const contradicted = [...window.pending].flatMap((index) => {
    const task = window.job.tasks.get(index);
    const first = task?.audit?.window === window ? task.audit.first : undefined;
    return task && first?.trusted ? [{ task, first }] : [];
  });
  for (const { task } of contradicted) window.pending.delete(task.index);
  endAudits(state, window);
  window.pending.clear();
  window.unverified = window.results.length - contradicted.length;
  for (const { task, first } of contradicted) replaceResult(state, window, task, first);
}

/** Has every result of a window audited, those of a clean one as well. */
export function auditInFull(state: State, window: Window): void {
  if (window.place === "accepting" || window.isFull) return;
  window.isFull = true;
  if (window.place === "open") close(state, window);
  else if (window.place === "judging" || window.place === "clean") startAudits(state, window);
  advance(state, window);
}

/** The results to audit: one, at random, of each of k equal stretches of the window. */
function chooseAudits(state: State, window: Window): TaskIndex[] {
  const results = window.results.filter((index) => !window.chosen.has(index));
  const k = Math.min(results.length, auditsOf(state, window));
  const chosen: TaskIndex[] = [];
  for (let at = 0; at < k; at++) {
    const from = Math.floor((at * results.length) / k);
    const end = Math.floor(((at + 1) * results.length) / k);
    chosen.push(results[from + state.randomInt(end - from)]!);
  }
  return chosen;
}

function auditsOf(state: State, { job, results: { length: n }, client, cohort, isFull }: Window): number {
  if (job.info.verify === "off") return 0;
  const { clean } = reputationOf(state, client);
  const { agreed, burnt } = evidenceOf(state, cohort);
  if (isFull || (clean === 0 && burnt)) return n;
  const wanted = Math.max(leastAuditRate, auditRate / Math.sqrt(1 + clean + agreed / ripeAudits)) * n;
  if (clean === 0) return Math.max(agreed < ripeAudits ? newcomerAudits : 1, Math.ceil(wanted));
  // Rounded at random, so that small windows are audited at the same rate.
  const least = Math.floor(wanted);
  return least + (state.randomInt(1_000_000) < (wanted - least) * 1_000_000 ? 1 : 0);
}

/** Accepts a window of a job whose results are not verified any more. */
export function acceptUnverified(state: State, window: Window): void {
  giveUpAudits(state, window);
  if (window.place === "open") close(state, window);
  else advance(state, window);
}

/** Whether a clean window need not wait for more evidence of its cohort (SPEC.md [VERIFY-10]). */
function isRipe(state: State, { job, cohort, openedAt }: Window): boolean {
  return (
    job.info.verify === "off" ||
    !hasMore(job) ||
    state.now - openedAt >= windowMs ||
    evidenceOf(state, cohort).agreed >= ripeAudits
  );
}

function accept(state: State, window: Window): void {
  const { job, number, client, results, agreed, checked, unverified } = window;
  window.place = "accepting";
  const checks: Partial<Checks> = { audited: agreed.size, checked, unverified };
  state.out.push({
    type: "acceptProvisional",
    job: job.id,
    window: number,
    client,
    indexes: results,
    agreed: [...agreed],
    checks,
  });
}

/** The results of a window are outcomes now. */
export function noteAccepted(state: State, job: Job, number: number, accepted: readonly TaskIndex[]): void {
  const window = job.windows.get(number);
  if (!window) return;
  if (window.agreed.size > 0) countClean(state, window.client, accepted.length);
  forgetWindow(state, window);
}

/** The store refused: the window is accepted a second later. */
export function noteNotAccepted(job: Job, number: number): void {
  const window = job.windows.get(number);
  if (window) window.place = "clean";
}

/** Counts an audit that agreed with a result of the window. */
export function noteAgreed(state: State, window: Window, index: TaskIndex): void {
  window.agreed.add(index);
  window.job.doubt.noteAgreed(index, window.cohort);
  countAgreed(state, window.cohort);
}

/** Removes a result that will not become an outcome by this window, and ends its audit. */
function dropResult(state: State, window: Window, index: TaskIndex): void {
  if (window.job.tasks.get(index)?.audit?.window === window) removeTask(state, window.job, index);
  window.results = window.results.filter((other) => other !== index);
  window.pending.delete(index);
  if (window.results.length === 0 && window.place !== "open") return forgetWindow(state, window);
  if (window.place === "judging" && window.chosen.has(index) && !window.agreed.has(index))
    auditAnother(state, window);
  advance(state, window);
}

/** Has another result audited in the place of one that is not judged any more: that one may not let the others pass. */
function auditAnother(state: State, window: Window): void {
  const { job, results, chosen, pending } = window;
  const others = results.filter((index) => !chosen.has(index));
  if (others.length === 0) return;
  const index = others[state.randomInt(others.length)]!;
  chosen.add(index);
  if (pending.has(index)) return;
  pending.add(index);
  job.unread.add({ window, indexes: [index], inspect: false });
}

/** Removes a task that has an outcome. A provisional result of the task that is being audited needs no verdict any more. */
export function endTask(state: State, job: Job, index: TaskIndex): void {
  const window = job.tasks.get(index)?.audit?.window;
  if (window) dropResult(state, window, index);
  else removeTask(state, job, index);
}

/** Withdraws all results of a window: the store opens their tasks again. */
export function withdraw(state: State, window: Window, checks: Partial<Checks>): void {
  const { job, number, client, results, agreed, checked } = window;
  forgetWindow(state, window);
  state.out.push({
    type: "withdrawProvisional",
    job: job.id,
    window: number,
    client,
    indexes: undefined,
    results,
    checks: { audited: agreed.size, checked, ...checks },
  });
}

/** Forgets a window whose results are outcomes, or withdrawn. Its audits end. */
export function forgetWindow(state: State, window: Window): void {
  const { job, client } = window;
  job.windows.delete(window.number);
  if (job.openWindows.get(client) === window) job.openWindows.delete(client);
  endAudits(state, window);
  state.reputations.get(client)?.windows.delete(window);
  forgetUnknown(state, client);
}

function endAudits(state: State, { job, pending, number }: Window): void {
  for (const index of pending)
    if (job.tasks.get(index)?.audit?.window.number === number) removeTask(state, job, index);
}

/** Withdraws one result without blaming anybody: its task is computed again. */
export function giveUpResult(state: State, window: Window, index: TaskIndex): void {
  state.out.push({
    type: "withdrawProvisional",
    job: window.job.id,
    window: window.number,
    client: window.client,
    indexes: [index],
    results: [index],
    checks: { withdrawn: 1 },
  });
  dropResult(state, window, index);
}

/** The computation of a trusted client becomes the outcome instead of a provisional result. Nobody is blamed. */
export function replaceResult(state: State, window: Window, task: Task, { output, refs }: Run): void {
  const { job, index } = task;
  if (output === undefined) return giveUpResult(state, window, index);
  settle(state, task, undefined);
  task.audit = undefined;
  const outcome = { state: "done" as const, index, output, refs };
  state.out.push({ type: "storeOutcomes", job: job.id, outcomes: [outcome], acknowledge: [] });
  dropResult(state, window, index);
}
