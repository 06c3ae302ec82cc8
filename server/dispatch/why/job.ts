import type { Why } from "../../../shared/wire/why.ts";
import { hasEnded } from "../../../shared/wire/rest/job-state.ts";
import { isBarred, isHandedOut, lacksData, spareCredit } from "../../scheduler/leases.ts";
import { suits } from "../../scheduler/requirements.ts";
import type { Client, Job, State, Task } from "../../scheduler/state.ts";
import { hasHadItsSay } from "../../scheduler/verdict.ts";
import { isTrustedExpected } from "../../scheduler/who-audits.ts";
import type { JobRow } from "../../store/store.ts";
import { unmetByAll } from "./needs.ts";
import { reasonOf, type Hold } from "./sentences.ts";

/** Tasks at the front of a queue that are looked at. */
const lookahead = 256;
/** A task is slow when it takes this many times as long as usual, and at least `leastSlowMs`. */
const slowFactor = 3;
const leastSlowMs = 10_000;

/** Properties of a stored job that say whether it has work. */
export type StoredJob = Pick<
  JobRow,
  "id" | "state" | "waitingFor" | "total" | "done" | "failed" | "provisional" | "paused" | "reason"
>;

/** Why no task of a job is computed, or why only slow ones are. Reads the scheduler's state, and changes nothing. */
export function whyJob(state: State, row: StoredJob, nameOf: (client: string) => string): Why {
  const job = state.jobs.get(row.id);
  const running = job ? countLeases(job) : 0;
  const holds = job && running > 0 ? slowHolds(state, job, nameOf) : holdsOfJob(state, row);
  return { running, reasons: holds.map((hold) => reasonOf(hold)) };
}

/** What holds up a job without running tasks. */
export function holdsOfJob(state: State, row: StoredJob): Hold[] {
  if (hasEnded(row.state)) return [{ code: "ended", detail: endOf(row) }];
  if (row.waitingFor.length > 0) return [{ code: "waitsForJobs", count: row.waitingFor.length }];
  const job = state.jobs.get(row.id);
  const stops = job ? stopsOf(state, job) : [];
  if (stops.length > 0) return stops;
  const left = row.total - row.done - row.failed - row.provisional;
  if (row.total === 0) return [{ code: "noTasks" }];
  if (left <= 0 && row.provisional > 0) return [checkingHold(state, job, row.provisional)];
  if (left <= 0) return [{ code: "noMoreTasks" }];
  return job ? holdsOfTasks(state, job) : [{ code: "reading" }];
}

function endOf({ state, reason }: StoredJob): string {
  return reason ? `${state}: ${reason.message.replace(/\.$/, "")}` : state;
}

/** What stops a job whatever clients there are. */
export function stopsOf(state: State, job: Job): Hold[] {
  const { config, now, leasing, full, missing } = state;
  const { paused, customer, descriptor } = job.info;
  const holds: Hold[] = [];
  if (!leasing) holds.push({ code: "stopping" });
  if (paused) holds.push({ code: "paused" });
  if (full.has(customer)) holds.push({ code: "quotaFull" });
  if (missing.has(descriptor.kernel.sha256)) holds.push({ code: "missingKernel" });
  const heldMs = (config.holdUntil ?? 0) - now;
  if (heldMs > 0) holds.push({ code: "starting", endsInMs: heldMs });
  return holds;
}

function checkingHold(state: State, job: Job | undefined, count: number): Hold {
  const detail = job && !isTrustedExpected(state, job) ? "other volunteers" : "trusted clients";
  return { code: "checking", count, detail };
}

/** Why open tasks of a job that is handed out are with no client. */
function holdsOfTasks(state: State, job: Job): Hold[] {
  const connected: Client[] = [];
  let away = 0;
  let backMs = 0;
  for (const client of state.clients.values()) {
    if (client.info.auditor) continue;
    if (client.vanishedAt === undefined) connected.push(client);
    else {
      away += 1;
      backMs = Math.max(backMs, client.vanishedAt + state.config.graceMs - state.now);
    }
  }
  if (connected.length === 0)
    return [away > 0 ? { code: "clientsAway", count: away, endsInMs: backMs } : { code: "noClients" }];
  const suitable = connected.filter(({ info }) => suits(info, job.info));
  if (suitable.length === 0)
    return unmetByAll(
      connected.map(({ info }) => info),
      job.info,
    );
  const willing = suitable.filter(({ wanted, drained }) => wanted > 0 && !drained);
  if (willing.length === 0) return [{ code: "clientsPaused", count: suitable.length }];
  const allowed = willing.filter((client) => !isBarred(client, job));
  if (allowed.length === 0) return [{ code: "barred" }];
  const asked = allowed.filter((client) => !hasHadItsSay(state, client, job));
  if (asked.length === 0) return [{ code: "heldBack" }];
  return [
    holdOfQueue(
      state,
      job,
      asked.some((client) => spareCredit(client) > 0),
    ) ?? busyHold(asked),
  ];
}

function busyHold(clients: readonly Client[]): Hold {
  const count = clients.length;
  const isEarning = clients.every(
    (client) => client.credit && client.leases.size < client.slots && spareCredit(client) <= 0,
  );
  return { code: isEarning ? "creditUsed" : "clientsBusy", count };
}

/**
 * Why tasks of a job wait although clients may have them; undefined when the clients are the reason.
 * @param anyFree - whether one of the clients would take a task
 */
function holdOfQueue(state: State, job: Job, anyFree: boolean): Hold | undefined {
  if (job.queue.size === 0 && job.seconds.size === 0 && job.overdue.size === 0) {
    if (job.claiming || !job.exhausted) return { code: "reading" };
    for (const { place } of job.tasks.values()) if (place === "settling") return { code: "saving" };
    return state.config.shared === true ? { code: "elsewhere" } : { code: "reading" };
  }
  const queued = job.queue.peek(lookahead);
  if (queued.length > 0) {
    const waiting = queued.filter((task) => !lacksData(state, task));
    if (waiting.length === 0) return { code: "missingData", count: job.queue.size };
    if (anyFree && waiting.every(({ triedBy }) => triedBy))
      return { code: "needsOtherClients", count: waiting.length };
    return undefined;
  }
  const seconds = job.seconds.peek(lookahead);
  if (seconds.length > 0 && seconds.every((task) => hasAllOpinions(state, job, task)))
    return { code: "needsOpinions", count: job.seconds.size };
  return undefined;
}

function hasAllOpinions(state: State, job: Job, { opinions = [] }: Task): boolean {
  const cohorts = new Set(opinions.map(({ cohort }) => cohort));
  return everyClient(state, job, ({ info }) => !info.trusted && cohorts.has(info.cohort));
}

function everyClient(state: State, job: Job, is: (client: Client) => boolean): boolean {
  for (const client of state.clients.values())
    if (
      !client.info.auditor &&
      client.vanishedAt === undefined &&
      client.wanted > 0 &&
      suits(client.info, job.info)
    )
      if (!is(client)) return false;
  return true;
}

/** Tasks that run far longer than usual, when the job has no others. */
function slowHolds(state: State, job: Job, nameOf: (client: string) => string): Hold[] {
  if (!isHandedOut(state, job) || job.queue.size > 0 || !job.exhausted || job.meanMs === undefined) return [];
  const longMs = Math.max(leastSlowMs, slowFactor * job.meanMs);
  let count = 0;
  let longest = state.now;
  const clients = new Set<string>();
  for (const { leases } of job.tasks.values())
    for (const { leasedAt, client } of leases) {
      if (state.now - leasedAt < longMs) continue;
      count += 1;
      longest = Math.min(longest, leasedAt);
      clients.add(client);
    }
  if (count === 0) return [];
  const [first = ""] = clients;
  const others = clients.size > 1 ? ` and ${clients.size - 1} more` : "";
  const detail = `${secondsOf(state.now - longest)} so far, and usually ${secondsOf(job.meanMs)}; on ${nameOf(first)}${others}`;
  return [{ code: "slowClients", count, detail }];
}

function secondsOf(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toPrecision(2)} s` : `${Math.round(ms / 1000).toLocaleString("en")} s`;
}

function countLeases(job: Job): number {
  let count = 0;
  for (const { leases } of job.tasks.values()) if (leases.length > 0) count += 1;
  return count;
}
