import { randomBytes } from "node:crypto";
import { sha256Hex } from "../../shared/hash.ts";
import { makeClientId, makeJobId, type ClientId, type JobId } from "../../shared/ids.ts";
import type { FailureKind, JobDescriptor, TaskResult } from "../../shared/wire/protocol.ts";
import type { ClaimedTask } from "../../server/store/store.ts";
import type {
  Instruction,
  SchedulerClientInfo,
  SchedulerEvent,
  SchedulerJob,
} from "../../server/scheduler/events.ts";
import { checkInvariants } from "../../server/scheduler/invariants.ts";
import { Scheduler } from "../../server/scheduler/scheduler.ts";
import type { SchedulerConfig } from "../../server/scheduler/state.ts";

const anyKernel = { sha256: sha256Hex(new Uint8Array([1])), size: 1 };

/** A scheduler on a clock of its own whose invariants are checked after every event. */
export class SchedulerHarness {
  readonly scheduler: Scheduler;
  now = 1000;
  /** Instructions of the last event. */
  last: Instruction[] = [];

  constructor(config: Partial<SchedulerConfig> = {}) {
    this.scheduler = new Scheduler({
      graceMs: 30_000,
      quarantineAfter: 3,
      speculate: true,
      auditors: false,
      believeUntil: Infinity,
      ...config,
    });
  }

  feed(event: SchedulerEvent): Instruction[] {
    this.last = this.scheduler.handle(event, this.now);
    checkInvariants(this.scheduler.state);
    return this.last;
  }

  pass(ms: number): Instruction[] {
    this.now += ms;
    return this.feed({ type: "timePassed" });
  }

  addJob(
    overrides: Partial<SchedulerJob> & {
      id?: JobId;
      timeoutMs?: number;
      signature?: JobDescriptor["signature"];
    } = {},
  ): JobId {
    const { id = makeJobId(randomBytes), timeoutMs = 60_000, signature, ...rest } = overrides;
    const descriptor = {
      id,
      name: "job",
      customer: rest.customer ?? "ada",
      kernel: anyKernel,
      ...(signature && { signature }),
      seed: "0",
      timeoutMs,
      memoryMb: 64,
    };
    this.feed({
      type: "jobAdded",
      job: {
        descriptor,
        customer: "ada",
        priority: 0,
        paused: false,
        maxAttempts: 5,
        requires: {},
        verify: "off",
        compare: "bits",
        check: false,
        irreproducible: false,
        failFast: true,
        createdAt: this.now,
        everDone: false,
        ...rest,
      },
    });
    return id;
  }

  /** Connects a client that is willing to hold `tasks` tasks. */
  join(tasks = 0, overrides: Partial<SchedulerClientInfo> = {}): ClientId {
    const id = overrides.id ?? makeClientId(randomBytes);
    const info = {
      id,
      kind: "node" as const,
      memoryMb: 1024,
      webgpu: false,
      trusted: true,
      cohort: id,
      slots: 1,
      ...overrides,
    };
    this.feed({ type: "clientConnected", client: info, held: [], cached: [] });
    if (tasks > 0) this.want(id, tasks, info.slots);
    return id;
  }

  want(client: ClientId, tasks: number, slots = 1): Instruction[] {
    return this.feed({ type: "clientWanted", client, tasks, slots });
  }

  claim(job: JobId, indexes: readonly number[], extra: Partial<ClaimedTask> = {}): Instruction[] {
    const tasks = indexes.map((index) => ({
      index,
      input: new Uint8Array([index]),
      refs: [],
      attempts: 0,
      checkpoint: undefined,
      ...extra,
    }));
    return this.feed({ type: "tasksClaimed", job, tasks, limit: 1000 });
  }

  finish(client: ClientId, job: JobId, index: number, attempt = 1): Instruction[] {
    return this.feed({ type: "resultsReceived", client, job, results: [done(index, attempt)] });
  }

  fail(
    client: ClientId,
    job: JobId,
    index: number,
    attempt: number,
    kind: FailureKind = "error",
    message = "boom",
  ): Instruction[] {
    const failure = { kind, message, stack: "at kernel" };
    const result = { index, attempt, elapsedMs: 1, outcome: { state: "failed" as const, failure } };
    return this.feed({ type: "resultsReceived", client, job, results: [result] });
  }

  stored(job: JobId, accepted: readonly number[], dropped: readonly number[] = []): Instruction[] {
    return this.feed({ type: "outcomesStored", job, accepted, dropped, done: accepted.length });
  }
}

export function done(index: number, attempt = 1): TaskResult {
  return { index, attempt, elapsedMs: 10, outcome: { state: "done", output: new Uint8Array([index]) } };
}

/** Leases in a list of instructions, as `client/index/attempt`. */
export function leasesIn(
  instructions: readonly Instruction[],
): { client: ClientId; job: JobId; index: number; attempt: number }[] {
  return instructions.flatMap((instruction) =>
    instruction.type === "sendLease"
      ? instruction.tasks.map(({ index, attempt }) => ({
          client: instruction.client,
          job: instruction.job.id,
          index,
          attempt,
        }))
      : [],
  );
}

/** Indexes of the tasks that the last event leased. */
export function indexesOf({ last }: SchedulerHarness): number[] {
  return leasesIn(last).map(({ index }) => index);
}

export function ofType<T extends Instruction["type"]>(
  instructions: readonly Instruction[],
  type: T,
): Extract<Instruction, { type: T }>[] {
  return instructions.filter(
    (instruction): instruction is Extract<Instruction, { type: T }> => instruction.type === type,
  );
}
