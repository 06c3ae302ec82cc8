import type { IdleReason } from "../../shared/wire/protocol.ts";
import { isBarred, isHandedOut, leasesFor } from "./leases.ts";
import { suits } from "./requirements.ts";
import type { Client, Job, State } from "./state.ts";
import { hasHadItsSay } from "./verdict.ts";

/** Jobs that are looked at for a client that idles, of which there may be thousands. */
const jobsLookedAt = 50;

/** Why a client gets nothing of one job; undefined where it may get a task of it any moment. */
type Cause =
  "paused" | "full" | "data" | "needs" | "barred" | "answered" | "tried" | "credit" | "taken" | "none";

/** Of causes that hold for as many jobs, the first is told: those that the client's person can do something about. */
const order: readonly Cause[] = [
  "needs",
  "barred",
  "tried",
  "answered",
  "credit",
  "full",
  "data",
  "paused",
  "taken",
];

/** Why the server has no task for a client that asks for some; undefined for one that has any, or is about to (SPEC.md [IDLE-1]). */
export function whyIdle(state: Readonly<State>, client: Readonly<Client>): IdleReason | undefined {
  const { leases, wanted, vanishedAt, info } = client;
  if (leases.size > 0 || wanted === 0 || vanishedAt !== undefined || info.auditor || !state.leasing)
    return undefined;
  const counts = new Map<Cause, number>();
  let needs: string | undefined;
  let looked = 0;
  for (const job of state.jobs.values()) {
    if (++looked > jobsLookedAt) break;
    const cause = causeFor(state, client, job);
    if (!cause) return undefined;
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
    if (cause === "needs") needs ??= lacking(client, job);
  }
  let reason: Cause = "none";
  for (const cause of order)
    if ((counts.get(cause) ?? 0) > (reason === "none" ? 0 : (counts.get(reason) ?? 0))) reason = cause;
  return {
    reason,
    jobs: reason === "none" ? 0 : counts.get(reason)!,
    ...(reason === "needs" && needs !== undefined && { needs }),
  };
}

function causeFor(state: State, client: Client, job: Job): Cause | undefined {
  // Tasks of a paused job are not claimed.
  if (job.info.paused) return "paused";
  if (state.full.has(job.info.customer)) return "full";
  if (!isHandedOut(state, job)) return "data";
  if (!suits(client.info, job.info)) return "needs";
  if (isBarred(client, job)) return "barred";
  if (job.claiming) return undefined;
  if (job.tasks.size === 0) return job.exhausted ? "none" : undefined;
  if (hasHadItsSay(state, client, job)) return "tried";
  if (job.queue.size > 0) return leasesFor(state, client, job) <= 0 ? "credit" : "taken";
  return job.seconds.size > 0 ? "answered" : "taken";
}

/** What the client lacks for the job. */
function lacking({ info }: Client, { info: { requires } }: Job): string {
  const { kind, memoryMb = 0, webgpu, trusted } = requires;
  if (trusted && !info.trusted) return "trusted";
  if (kind !== undefined && kind !== info.kind) return kind;
  if (webgpu && !info.webgpu) return "webgpu";
  return memoryMb > info.memoryMb ? "memory" : "signature";
}
