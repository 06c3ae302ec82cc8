import type { IdleReason } from "../../../shared/wire/protocol.ts";
import type { ReasonCode } from "../../../shared/wire/why.ts";
import type { Client, State } from "../../scheduler/state.ts";
import { holdOfJob } from "./client.ts";
import type { Hold } from "./sentences.ts";

/** Jobs that are looked at for a client that idles, of which there may be thousands. */
const jobsLookedAt = 50;

/**
 * The words for volunteers, whose page says them in their language. Of causes that hold for as many jobs the first is told: those that the
 * client's person can do something about.
 */
const words: readonly (readonly [word: string, codes: readonly ReasonCode[]])[] = [
  ["needs", ["needsCommand", "needsKind", "needsMemory", "needsWebgpu", "needsTrust", "needsSigner"]],
  ["barred", ["barred"]],
  ["tried", ["heldBack", "needsOtherClients"]],
  ["answered", ["needsOpinions", "checking"]],
  ["credit", ["creditUsed"]],
  ["full", ["quotaFull"]],
  ["data", ["missingData", "missingKernel"]],
  ["paused", ["paused"]],
  ["taken", ["allLeased"]],
];

/** Holds of jobs that have no task for anybody. */
const without: ReadonlySet<ReasonCode> = new Set(["noTasks", "noMoreTasks", "elsewhere"]);

/** Why the server has no task for a client that asks for some; undefined for one that has any, or is about to (SPEC.md [IDLE-1]). */
export function whyIdle(state: State, client: Client): IdleReason | undefined {
  const { leases, wanted, vanishedAt, info } = client;
  if (leases.size > 0 || wanted === 0 || vanishedAt !== undefined || info.auditor || !state.leasing)
    return undefined;
  const holds: Hold[] = [];
  let looked = 0;
  for (const job of state.jobs.values()) {
    if (++looked > jobsLookedAt) break;
    const hold = holdOfJob(state, client, job);
    if (!hold) return undefined;
    if (without.has(hold.code)) continue;
    // What is left passes within moments: tasks are read, or results are written.
    if (!words.some(([, codes]) => codes.includes(hold.code))) return undefined;
    holds.push(hold);
  }
  return reasonOfMost(holds);
}

/** The reason that holds for most of the jobs. */
function reasonOfMost(holds: readonly Hold[]): IdleReason {
  let found: IdleReason = { reason: "none", jobs: 0 };
  for (const [reason, codes] of words) {
    const those = holds.filter(({ code }) => codes.includes(code));
    if (those.length <= found.jobs) continue;
    const needs = reason === "needs" ? needOf(those[0]!) : undefined;
    found = { reason, jobs: those.length, ...(needs !== undefined && { needs }) };
  }
  return found;
}

function needOf({ code, detail }: Hold): string | undefined {
  switch (code) {
    case "needsKind":
      return detail;
    case "needsCommand":
      return "command";
    case "needsMemory":
      return "memory";
    case "needsWebgpu":
      return "webgpu";
    case "needsTrust":
      return "trusted";
    default:
      return "signature";
  }
}
