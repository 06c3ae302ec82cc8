import type { ClientId } from "../../shared/ids.ts";
import { suits } from "./requirements.ts";
import type { Client, Job, State, Window } from "./state.ts";

/** A trusted client that left is waited for, before audits go to strangers or are given up. */
const trustedReturnMs = 15 * 60_000;

/** Whether a client can be expected that audits the window. */
export function canAudit(state: State, { job, cohort }: Window): boolean {
  return isTrustedExpected(state, job) || isOtherCohortThere(state, job, cohort);
}

/** Whether audits of the job wait for trusted clients (SPEC.md [VERIFY-6]). */
export function isTrustedExpected(state: State, job: Job): boolean {
  if (state.config.auditors && suitsAuditor(job)) return true;
  // Looked up once an instant: the answer is the same for thousands of idle strangers.
  if (job.trustedLookedAt !== state.now) isTrustedThere(state, job);
  job.trustedLookedAt = state.now;
  return state.now - job.trustedAt < trustedReturnMs;
}

/** The auditor is a headless client of the server's machine. */
function suitsAuditor({ info: { requires, descriptor } }: Job): boolean {
  const { kind = "node", webgpu = false, command } = requires;
  return kind === "node" && !webgpu && command === undefined && descriptor.signature === undefined;
}

/** Whether a client can be expected that calls functions of the kernel module (SPEC.md [VERIFY-8]). */
export function isInspectorExpected(state: State, job: Job): boolean {
  if (state.config.auditors && suitsAuditor(job)) return true;
  for (const client of state.clients.values())
    if (client.info.trusted && client.info.kind === "node" && isThere(client, job)) return true;
  return false;
}

export function isTrustedThere(state: State, job: Job, except?: ClientId): boolean {
  for (const client of state.clients.values())
    if (client.info.trusted && client.info.id !== except && isThere(client, job)) {
      job.trustedAt = state.now;
      return true;
    }
  return false;
}

function isOtherCohortThere(state: State, job: Job, cohort: string): boolean {
  for (const client of state.clients.values())
    if (!client.info.trusted && client.info.cohort !== cohort && isThere(client, job)) return true;
  return false;
}

function isThere({ info, vanishedAt, wanted, drained }: Client, job: Job): boolean {
  return vanishedAt === undefined && wanted > 0 && !drained && suits(info, job.info);
}

/** Starts the auditor when audits or disputed tasks wait and no trusted client is there. */
export function callAuditors(state: State): void {
  if (!state.config.auditors) return;
  for (const job of state.jobs.values()) {
    const isWaiting = job.audits.size > 0 || job.info.irreproducible || job.disputed.size > 0;
    if (isWaiting && suitsAuditor(job) && !isTrustedThere(state, job))
      return void state.out.push({ type: "callAuditors" });
  }
}
