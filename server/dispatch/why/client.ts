import type { Why } from "../../../shared/wire/why.ts";
import type { ClientId } from "../../../shared/ids.ts";
import { isBarred, isFull, lacksData, leasesFor, spareCredit } from "../../scheduler/leases.ts";
import type { Client, Job, State } from "../../scheduler/state.ts";
import { hasHadItsSay } from "../../scheduler/verdict.ts";
import { stopsOf } from "./job.ts";
import { unmetNeeds } from "./needs.ts";
import { groupHolds, reasonOf, type Hold } from "./sentences.ts";

const lookahead = 256;
/** Most jobs that are looked at for one client. */
const jobsLookedAt = 1_000;

/**
 * Why a client has no task. Reads the scheduler's state, and changes nothing.
 * @param waiting - number of jobs that wait for other jobs, which the scheduler does not know
 */
export function whyClient(state: State, id: ClientId, waiting: number): Why {
  const client = state.clients.get(id);
  if (!client) return { running: 0, reasons: [reasonOf({ code: "notConnected" })] };
  const running = client.leases.size;
  if (running > 0) return { running, reasons: [] };
  return { running, reasons: holdsOfClient(state, client, waiting).map((hold) => reasonOf(hold)) };
}

function holdsOfClient(state: State, client: Client, waiting: number): Hold[] {
  const { vanishedAt, wanted, info } = client;
  if (vanishedAt !== undefined)
    return [{ code: "clientAway", endsInMs: vanishedAt + state.config.graceMs - state.now }];
  if (!state.leasing) return [{ code: "stopping" }];
  if (info.auditor) return [{ code: "auditorWaits" }];
  if (client.drained) return [{ code: "clientDrained" }];
  if (wanted === 0) return [{ code: "clientPaused" }];
  if (isFull(client)) return [{ code: "networkBehind" }];
  const heldMs = (state.config.holdUntil ?? 0) - state.now;
  if (heldMs > 0) return [{ code: "starting", endsInMs: heldMs }];
  const holds: Hold[] = [];
  let looked = 0;
  for (const job of state.jobs.values()) {
    if (looked++ === jobsLookedAt) break;
    const hold = holdOfJob(state, client, job);
    if (hold) holds.push(hold);
  }
  const grouped = groupHolds(holds);
  if (waiting > 0) grouped.push({ code: "waitsForJobs", jobs: waiting });
  return grouped.length > 0 ? grouped : [{ code: "noJobs" }];
}

/** Why a client gets no task of a job; undefined when one is on its way. */
export function holdOfJob(state: State, client: Client, job: Job): Hold | undefined {
  const [stop] = stopsOf(state, job);
  if (stop) return stop;
  const [need] = unmetNeeds(client.info, job.info);
  if (need) return need;
  const isOfClient = true;
  if (isBarred(client, job)) return { code: "barred", isOfClient };
  if (hasHadItsSay(state, client, job)) return { code: "heldBack", isOfClient };
  if (job.queue.size === 0 && job.seconds.size === 0 && job.overdue.size === 0)
    return holdOfEmptyQueue(state, job);
  if (spareCredit(client) <= 0 || leasesFor(state, client, job) <= 0)
    return { code: "creditUsed", isOfClient };
  const { cohort, trusted, id } = client.info;
  const queued = job.queue.peek(lookahead);
  const seconds = job.seconds.peek(lookahead);
  if (seconds.some(({ opinions = [] }) => trusted || !opinions.some((opinion) => opinion.cohort === cohort)))
    return undefined;
  if (queued.length === 0) return { code: "needsOpinions", isOfClient };
  const here = queued.filter((task) => !lacksData(state, task));
  if (here.length === 0) return { code: "missingData" };
  return here.every(({ triedBy }) => triedBy?.has(id))
    ? { code: "needsOtherClients", isOfClient }
    : undefined;
}

function holdOfEmptyQueue(state: State, job: Job): Hold {
  if (job.claiming || !job.exhausted) return { code: "reading" };
  if (job.tasks.size === 0) {
    if (job.windows.size > 0) return { code: "checking", isOfClient: true };
    return { code: state.config.shared === true ? "elsewhere" : "noMoreTasks" };
  }
  for (const { place, audit } of job.tasks.values())
    if (place === "leased" && !audit) return { code: "allLeased" };
  return job.audits.size > 0 ? { code: "checking" } : { code: "saving" };
}
