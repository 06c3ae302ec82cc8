import { randomInt } from "node:crypto";
import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import { assignTasks, giveExcessBack, enterFairShare, refillWindows } from "./assign.ts";
import { addAudits, giveUpCalls, noteComparison } from "./auditing.ts";
import {
  changeCache,
  connectClient,
  endJob,
  findLease,
  forgetUnclaimed,
  noteRead,
  releaseLeases,
  removeClient,
  takeAdopted,
  vanishClient,
} from "./clients.ts";
import type { Instruction, SchedulerEvent } from "./events.ts";
import { expire, noteOverdue, speculate, speculateAgain } from "./expiry.ts";
import { ignore, ignoreLease } from "./ignore.ts";
import { noteCredit, putBack, queueOf } from "./leases.ts";
import { endQuorum, noteGroups, noteOpinion, quorumOf } from "./quorum.ts";
import { forgetHandedOver, handOver, takeOver } from "./hand-over.ts";
import { claimAdopted, endElsewhere, endRest, loseClaims, moveClient } from "./other-servers.ts";
import { finishSettling, receiveResults, reopenSettling } from "./results.ts";
import { endDamaged, endUnclaimedOf, tellEnded } from "./settling.ts";
import {
  newJob,
  newTask,
  type Client,
  type Job,
  type SchedulerConfig,
  type SchedulerCounts,
  type State,
} from "./state.ts";
import { takeUpStandings } from "./reputation.ts";
import { estimateBytes } from "./value-bytes.ts";
import { changeVerification, takeUp } from "./verification.ts";
import { callAuditors } from "./who-audits.ts";
import { endTask, noteAccepted, noteKept, noteNotAccepted, noteUnkept, passTime } from "./windows.ts";
import { giveBackUncomputed } from "./uncomputed.ts";

/**
 * Decides which client computes which task. Pure: events in, instructions out; the time is an argument, and only its
 * own state is read or written. Holds a bounded window of each job's tasks; the store holds all of them.
 */
export class Scheduler {
  readonly #state: State;

  constructor(config: SchedulerConfig) {
    this.#state = {
      config,
      jobs: new Map(),
      clients: new Map(),
      endedAttempts: new Map(),
      hungry: new Set(),
      newlyHungry: new Set(),
      unmet: new Set(),
      uncomputed: new Set(),
      missing: new Set(),
      reputations: new Map(),
      evidence: new Map(),
      randomInt: config.randomInt ?? randomInt,
      nextWindow: config.firstWindow ?? 1,
      full: new Set(),
      slots: { count: 0, countedAt: -Infinity },
      speculatedAt: -Infinity,
      resting: new Set(),
      supplyChanged: false,
      leasing: true,
      served: new Map(),
      cohorts: new Map(),
      counts: { leases: 0, droppedResults: 0, lostLeases: 0, speculativeLeases: 0, references: 0, cached: 0 },
      now: 0,
      out: [],
    };
    takeUpStandings(this.#state);
  }

  /**
   * Takes one event and returns the instructions that follow from it.
   * @param now - milliseconds on a clock that never goes back
   */
  handle(event: SchedulerEvent, now: number): Instruction[] {
    const state = this.#state;
    state.now = Math.max(state.now, now);
    state.out = [];
    apply(state, event);
    if (state.leasing && changesSupply(event)) {
      if (state.now >= (state.config.holdUntil ?? 0)) assignTasks(state);
      refillWindows(state);
    }
    return state.out;
  }

  /** The state, to be read and not changed: for the status page and the invariant checker. */
  get state(): Readonly<State> {
    return this.#state;
  }

  get counts(): Readonly<SchedulerCounts> {
    return this.#state.counts;
  }

  client(id: ClientId): Readonly<Client> | undefined {
    return this.#state.clients.get(id);
  }

  /** Number of leased tasks of each job that has any. */
  runningJobs(): Map<JobId, number> {
    const counts = new Map<JobId, number>();
    for (const { leases } of this.#state.clients.values())
      for (const lease of leases) {
        // A task with two leases counts once.
        if (lease.task.leases[0] !== lease) continue;
        const { id } = lease.task.job;
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    return counts;
  }

  /** Number of tasks that are here: waiting, leased, or on their way to the store. */
  get claimed(): number {
    let count = 0;
    for (const { tasks } of this.#state.jobs.values()) count += tasks.size;
    return count;
  }

  /** Leased tasks of a job, and the sum of their fractions; of two leases the larger fraction counts. */
  progress(id: JobId): { running: number; done: number } {
    const sum = { running: 0, done: 0 };
    for (const { leases } of this.#state.jobs.get(id)?.tasks.values() ?? []) {
      if (leases.length === 0) continue;
      sum.running += 1;
      let furthest = 0;
      for (const lease of leases) furthest = Math.max(furthest, lease.progress);
      sum.done += furthest;
    }
    return sum;
  }
}

/** Events after which a task may find a client, or a client a task. */
function changesSupply(event: SchedulerEvent): boolean {
  return (
    event.type !== "progressReceived" && event.type !== "checkpointReceived" && event.type !== "cacheChanged"
  );
}

function apply(state: State, event: SchedulerEvent): void {
  switch (event.type) {
    case "jobAdded":
      if (state.jobs.has(event.job.descriptor.id))
        return ignore(state, "a job that was added again", { job: event.job.descriptor.id });
      enterFairShare(state, event.job.customer);
      state.jobs.set(
        event.job.descriptor.id,
        newJob(event.job, state.endedAttempts.get(event.job.descriptor.id) ?? 0),
      );
      return;
    case "jobChanged":
      return changeJob(state, event);
    case "jobEnded":
      return endJob(state, event.job);
    case "tasksAdded":
      return withJob(state, event, (job) => {
        enterFairShare(state, job.info.customer);
        job.exhausted = false;
        if (event.again) {
          job.claimedBelow = 0;
          claimAdopted(state, job);
        }
        if (event.requeued) job.attemptBase = job.highestAttempt;
      });
    case "tasksClaimed":
      return withJob(state, event, (job) => addClaimed(state, job, event));
    case "claimFailed":
      return withJob(state, event, (job) => {
        job.claiming = false;
      });
    case "quotaChanged":
      if (event.full) state.full.add(event.customer);
      else state.full.delete(event.customer);
      state.supplyChanged = true;
      return;
    case "dataChanged":
      if (event.isMissing) state.missing.add(event.sha256);
      else state.missing.delete(event.sha256);
      state.supplyChanged = true;
      return;
    case "clientConnected":
      connectClient(state, event.client, event.held, event.cached);
      for (const id of new Set(event.held.map(({ job }) => job))) {
        const job = state.jobs.get(id);
        if (job) claimAdopted(state, job);
      }
      return;
    case "clientWanted":
      return withClient(state, event, (client) => {
        client.wanted = event.tasks;
        client.slots = event.slots;
        if (event.webgpu !== undefined) {
          client.info = { ...client.info, webgpu: event.webgpu };
          // Jobs that nobody could run are looked at anew.
          state.hungry.delete(client);
          state.newlyHungry.delete(client);
        }
        noteCredit(state, client);
      });
    case "clientDrained":
      return withClient(state, event, (client) => {
        client.drained = event.drained;
        noteCredit(state, client);
      });
    case "clientRead":
      return withClient(state, event, (client) => noteRead(state, client, event.bytes));
    case "cacheChanged":
      return withClient(state, event, (client) => changeCache(client, event.added, event.removed));
    case "clientVanished":
      return vanishClient(state, event.client);
    case "clientLeft":
      return removeClient(state, event.client);
    case "resultsReceived":
      receiveResults(state, event.client, event.job, event.results);
      return speculateAgain(state);
    case "leasesReleased":
      return releaseLeases(state, event.client, event.leases);
    case "progressReceived": {
      const lease = findLease(state, event.client, event.lease);
      if (!lease) return ignoreLease(state, "progress without a lease", event.client, event.lease);
      // Growing progress ends the silence of a stranger; repeated progress does not.
      if (lease.stranger && event.fraction > lease.progress) lease.stranger.movedAt = state.now;
      lease.progress = event.fraction;
      return;
    }
    case "checkpointReceived": {
      const lease = findLease(state, event.client, event.lease);
      if (!lease) return ignoreLease(state, "a checkpoint without a lease", event.client, event.lease);
      // A copy: a view would keep the whole frame alive that brought the checkpoint.
      lease.task.checkpoint = new Uint8Array(event.state);
      const { job, index } = event.lease;
      const author = state.clients.get(event.client)?.info;
      const by = author?.trusted === false ? { client: author.id, cohort: author.cohort } : undefined;
      lease.task.checkpointBy = by;
      state.out.push({ type: "storeCheckpoint", job, index, state: event.state, by });
      return;
    }
    case "outcomesStored":
      return withJob(state, event, (job) =>
        finishSettling(state, job, event.accepted, event.dropped, event.done),
      );
    case "outcomesRefused":
      return withJob(state, event, (job) => reopenSettling(state, job, event.indexes));
    case "provisionalFound":
      return event.windows.forEach((window) => takeUp(state, window));
    case "provisionalKept":
      return withJob(state, event, (job) => {
        const { kept, dropped, window } = event;
        tellEnded(state, job, endUnclaimedOf(job, [...kept, ...dropped]));
        noteKept(state, job, window, kept, dropped);
      });
    case "provisionalRefused":
      return withJob(state, event, (job) => {
        reopenSettling(state, job, event.indexes);
        noteUnkept(state, job, event.window, event.indexes);
      });
    case "opinionKept":
      return withJob(state, event, (job) => {
        endUnclaimedOf(job, [event.index]);
        noteOpinion(state, job, event.index, event.opinion);
      });
    case "outputsGrouped":
      return withJob(state, event, (job) => noteGroups(state, job, event.index, event.groups));
    case "provisionalAccepted":
      return withJob(state, event, (job) => {
        if (event.accepted.length > 0) job.killed.clear();
        if (quorumOf(job) === undefined) noteAccepted(state, job, event.window, event.accepted);
        for (const index of [...event.accepted, ...event.dropped]) endQuorum(state, job, index);
      });
    case "acceptRefused":
      return withJob(state, event, (job) => {
        noteNotAccepted(job, event.window);
        for (const index of event.indexes) {
          const task = job.tasks.get(index);
          if (task?.opinions && task.place === "settling") putBack(state, task);
        }
      });
    case "provisionalReopened":
      return withJob(state, event, (job) => {
        job.exhausted = false;
        job.claimedBelow = 0;
        job.attemptBase = job.highestAttempt;
        state.supplyChanged = true;
      });
    case "auditsRead":
      return withJob(state, event, (job) => addAudits(state, job, event));
    case "outputsCompared":
      return withJob(state, event, (job) =>
        noteComparison(state, job, event.window, event.index, event.agree, event.first),
      );
    case "clientMoved":
      return moveClient(state, event.client);
    case "tasksEnded":
      return withJob(state, event, (job) => endElsewhere(state, job, event.indexes));
    case "othersSeen":
      return handOver(state);
    case "tasksHandedOver":
      return withJob(state, event, (job) => takeOver(state, job, event.tasks));
    case "claimsLost":
      return loseClaims(state, event.firstWindow);
    case "timePassed":
      endRest(state);
      forgetUnclaimed(state);
      forgetHandedOver(state);
      giveExcessBack(state);
      expire(state);
      giveBackUncomputed(state);
      noteOverdue(state);
      giveUpCalls(state);
      passTime(state);
      callAuditors(state);
      // The choice of a client for a task changes with time, too.
      state.supplyChanged = true;
      return speculate(state);
    case "leasingStopped":
      state.leasing = false;
      return;
  }
}

function changeJob(state: State, event: Extract<SchedulerEvent, { type: "jobChanged" }>): void {
  withJob(state, event, (job) => {
    const { paused = job.info.paused, priority = job.info.priority, verification } = event;
    if (job.info.paused && !paused) enterFairShare(state, job.info.customer);
    state.supplyChanged = true;
    job.info = { ...job.info, paused, priority };
    if (verification) changeVerification(state, job, verification);
  });
}

function addClaimed(
  state: State,
  job: Job,
  { tasks, limit, among }: Extract<SchedulerEvent, { type: "tasksClaimed" }>,
): void {
  if (among !== true) {
    job.claiming = false;
    job.exhausted = tasks.length < limit;
  }
  const damaged: TaskIndex[] = [];
  for (const claimed of tasks) {
    const { index } = claimed;
    job.claimedBelow = Math.max(job.claimedBelow, index + 1);
    // The window of this audit was withdrawn since it was read, or the store would not have given the task out.
    if (job.tasks.get(index)?.audit) endTask(state, job, index);
    if (job.endingUnclaimed.has(index) || job.tasks.has(index)) continue;
    if (claimed.isDamaged) {
      damaged.push(index);
      continue;
    }
    const task = newTask(job, claimed);
    job.tasks.set(index, task);
    if (takeAdopted(state, job, index)) continue;
    queueOf(task).append(task);
    state.supplyChanged = true;
  }
  if (damaged.length > 0) endDamaged(state, job, damaged);
  job.inputBytes = estimateBytes(job.inputBytes, tasks);
}

function withJob(
  state: State,
  { type, job: id }: Extract<SchedulerEvent, { job: JobId }>,
  change: (job: Job) => void,
): void {
  const job = state.jobs.get(id);
  if (job) change(job);
  else ignore(state, type, { job: id });
}

function withClient(
  state: State,
  { type, client: id }: Extract<SchedulerEvent, { client: ClientId }>,
  change: (client: Client) => void,
): void {
  const client = state.clients.get(id);
  if (client) change(client);
  else ignore(state, type, { client: id });
}
