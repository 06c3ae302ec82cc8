import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import type { LeaseKey, ServerMessage } from "../../shared/wire/protocol.ts";
import type { Requirements } from "../../shared/wire/rest/requirements.ts";
import type { JobRow, NewOutcome, Store } from "../store/store.ts";
import { AwakeClock } from "./awake-clock.ts";
import { Connections } from "./connections.ts";
import type { DispatcherListener } from "./dispatcher-listener.ts";
import type { Kernels } from "./kernels.ts";
import { Provisional, type ReadBlob } from "./provisional.ts";
import type {
  Acknowledgement,
  IgnoredEvent,
  Instruction,
  SchedulerEvent,
  SchedulerJob,
} from "../scheduler/events.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import type { SchedulerConfig } from "../scheduler/state.ts";
import { untilDone } from "./until-done.ts";

/** A database that servers share is away at times, or takes a server for dead: results are stored when it is back. */
const sharedTries = 4;

/**
 * The thin I/O shell around the pure scheduler: feeds it events, carries out its instructions against the store and the
 * sockets, and acknowledges only results and submissions that the store has on disk (SPEC.md [DUR-2]).
 */
export class Dispatcher {
  readonly scheduler: Scheduler;
  readonly connections = new Connections();
  readonly #store: Store;
  readonly #log: Logger;
  readonly #listener: DispatcherListener;
  readonly #clock: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #provisional: Provisional;
  readonly #isShared: boolean;
  readonly #kernels: Pick<Kernels, "small"> | undefined;

  constructor(options: {
    store: Store;
    log: Logger;
    listener: DispatcherListener;
    scheduler: SchedulerConfig;
    clock?: () => number;
    /** Reads a blob whole, for comparisons. */
    readBlob?: ReadBlob;
    /** Small kernels in memory. */
    kernels?: Pick<Kernels, "small">;
  }) {
    this.#store = options.store;
    this.#kernels = options.kernels;
    this.#isShared = options.scheduler.shared === true;
    this.#log = options.log;
    this.#listener = options.listener;
    const awake = new AwakeClock();
    this.#clock = options.clock ?? (() => awake.now());
    const onIgnored = this.#log.isLevelEnabled("debug")
      ? ({ why, about, story }: IgnoredEvent) => this.#log.debug({ ...about, story }, `Ignored ${why}`)
      : undefined;
    this.scheduler = new Scheduler({ ...options.scheduler, onIgnored });
    this.#provisional = new Provisional({
      store: this.#store,
      log: this.#log,
      listener: this.#listener,
      readBlob: options.readBlob,
      feed: (event) => this.feed(event),
      acknowledge: (job, acknowledge) => this.#acknowledge(job, acknowledge, true),
      tell: (client, verdict) => {
        if (!this.connections.send(client, verdict)) this.#listener.verdictUnheard?.(client, verdict);
      },
    });
    this.#timer = setInterval(() => this.feed({ type: "timePassed" }), 1000);
    this.#timer.unref();
  }

  /**
   * Takes an event and carries out the instructions that follow from it.
   * @returns the leases of `sendDropped`, for the welcome of the client
   */
  feed(event: SchedulerEvent): LeaseKey[] {
    const dropped: LeaseKey[] = [];
    for (const instruction of this.scheduler.handle(event, this.#clock()))
      if (instruction.type === "sendDropped") dropped.push(...instruction.leases);
      else this.#carryOut(instruction);
    if (event.type === "progressReceived") this.#listener.jobMoved?.(event.lease.job);
    return dropped;
  }

  /** Stops leasing and claiming; results are still stored. */
  stopLeasing(): void {
    clearInterval(this.#timer);
    this.feed({ type: "leasingStopped" });
  }

  /** Passes on another server's changes of a job that the scheduler knows. */
  changeJob(row: JobRow): void {
    const known = this.scheduler.state.jobs.get(row.id)?.info;
    if (!known) return;
    const { paused, priority, verify, compare, requires } = toSchedulerJob(row);
    const verification = { verify, compare, requires };
    const { verify: v, compare: c, requires: r } = known;
    const isOther = JSON.stringify([verify, compare, requires]) !== JSON.stringify([v, c, r]);
    this.feed({ type: "jobChanged", job: row.id, paused, priority, ...(isOther && { verification }) });
  }

  /** Hands a job to the scheduler. */
  addJob(row: JobRow): void {
    this.feed({ type: "jobAdded", job: toSchedulerJob(row) });
  }

  #carryOut(instruction: Exclude<Instruction, { type: "sendDropped" }>): void {
    switch (instruction.type) {
      case "claimTasks":
        return this.#claim(instruction);
      case "tellEnded":
        return this.#listener.endedUnclaimed?.(instruction.job, instruction.indexes);
      case "unclaimTasks":
        return this.#unclaim(instruction.job, instruction.indexes);
      case "handOver": {
        const { job, tasks } = instruction;
        const indexes = tasks.map(({ index }) => index);
        return this.#unclaim(job, indexes, () => this.#listener.handedOver?.(job, tasks));
      }
      case "sendLease": {
        const { client, job, tasks } = instruction;
        this.#listener.jobMoved?.(job.id);
        const kernel = this.#kernelFor(client, job.kernel.sha256);
        for (let at = 0; at < tasks.length; at += limits.tasksPerMessage)
          this.#send(client, {
            type: "lease",
            job,
            tasks: tasks.slice(at, at + limits.tasksPerMessage),
            ...(at === 0 && kernel && { kernel }),
          });
        return;
      }
      case "sendCancel": {
        const { client, job, indexes } = instruction;
        return this.#send(client, {
          type: "cancel",
          job,
          ...(indexes && { indexes: [...indexes] }),
        });
      }
      case "sendAccepted":
        return this.#send(instruction.client, {
          type: "accepted",
          job: instruction.job,
          indexes: [...instruction.indexes],
        });
      case "storeOutcomes":
        return this.#storeOutcomes(instruction);
      case "storeAttempts": {
        const { job, attempts, acknowledge } = instruction;
        return this.#untilDone("record attempts", job, async () => {
          await this.#store.recordAttempts(job, attempts);
          this.#acknowledge(job, acknowledge);
        });
      }
      case "storeCheckpoint":
        return this.#inBackground(
          "store a checkpoint",
          this.#store.checkpoint(instruction.job, instruction.index, instruction.state, instruction.by),
        );
      case "keepProvisional":
        return this.#provisional.keep(instruction);
      case "acceptProvisional":
        return this.#provisional.accept(instruction);
      case "withdrawProvisional":
        return this.#provisional.withdraw(instruction);
      case "readAudits":
        return this.#provisional.readAudits(instruction);
      case "compareOutputs":
        return this.#provisional.compare(instruction);
      case "groupOutputs":
        return this.#provisional.group(instruction);
      case "saveStanding":
        return untilDone(this.#log, "keep a standing", {}, () =>
          this.#store.saveStanding(instruction.standing),
        );
      case "noteIrreproducible":
        return this.#provisional.noteIrreproducible(instruction.job);
      case "pardonClients":
        return this.#listener.clientsPardoned?.(instruction.clients);
      case "callAuditors":
        return this.#listener.auditorsCalled?.();
      case "barClient":
        return this.#listener.clientBarred?.(instruction.client, instruction.reason);
      case "quarantineJob": {
        const { job, reason } = instruction;
        return this.#untilDone("quarantine a job", job, async () => {
          const row = await this.#store.endJob(job, "quarantined", reason);
          this.feed({ type: "jobEnded", job });
          this.#listener.outcomesStored(row, [], [], []);
        });
      }
    }
  }

  /** The source of a small kernel that the client seems not to have (SPEC.md [KERNEL-10]). */
  #kernelFor(client: ClientId, kernel: Sha256): Uint8Array | undefined {
    const source = this.#kernels?.small(kernel);
    const isNew =
      source &&
      this.scheduler.client(client)?.cached.has(kernel) === false &&
      this.connections.noteKernel(client, kernel);
    return isNew ? source : undefined;
  }

  #send(client: ClientId, message: ServerMessage): void {
    if (!this.connections.send(client, message))
      this.#log.debug({ client, message: message.type }, "Ignored a message to a client that is away");
  }

  #claim({ job, limit, among }: Extract<Instruction, { type: "claimTasks" }>): void {
    this.#store.claim(job, limit, among).then(
      (tasks) => this.feed({ type: "tasksClaimed", job, tasks, limit, ...(among && { among: true }) }),
      (error: unknown) => {
        if (among) return this.#log.debug({ err: error, job }, "could not claim tasks of joined clients");
        // Another server may have ended the job, and the news be on its way.
        const level = this.#isShared && isOfEndedJob(error) ? "debug" : "error";
        this.#log[level]({ err: error, job }, "could not claim tasks; trying again in a second");
        setTimeout(() => this.feed({ type: "claimFailed", job }), 1000).unref();
      },
    );
  }

  #unclaim(job: JobId, indexes: readonly TaskIndex[], then?: () => void): void {
    let tries = 0;
    this.#untilDone("give tasks back", job, async () => {
      tries += 1;
      await this.#store.unclaim(job, indexes);
      then?.();
      // A claim in the meantime found nothing more.
      if (tries > 1) this.feed({ type: "tasksAdded", job });
    });
  }

  #storeOutcomes(
    instruction: Extract<Instruction, { type: "storeOutcomes" }>,
    tries = this.#isShared ? sharedTries : 1,
  ): void {
    const { job, outcomes, acknowledge } = instruction;
    this.#store.complete(job, outcomes).then(
      ({ accepted, dropped, job: row }) => {
        this.#acknowledge(job, acknowledge);
        const done = countDone(dropped.length === 0 ? outcomes : outcomesOf(outcomes, accepted));
        this.feed({ type: "outcomesStored", job, accepted, dropped, done });
        this.#listener.outcomesStored(
          row,
          outcomes,
          accepted,
          acknowledge.map(({ client }) => client),
        );
        if (row.state === "finished") this.feed({ type: "jobEnded", job });
      },
      (error: unknown) => {
        // The job is over: the clients may forget these results.
        if (isOfEndedJob(error)) {
          this.#acknowledge(job, acknowledge);
          return;
        }
        if (tries > 1 && PlatformError.from(error).code === "STORE_FAILED") {
          setTimeout(() => this.#storeOutcomes(instruction, tries - 1), 1000).unref();
          return;
        }
        this.#log.error(
          { err: error, job, tasks: outcomes.length },
          "could not store results; their clients keep them",
        );
        this.feed({ type: "outcomesRefused", job, indexes: outcomes.map(({ index }) => index) });
      },
    );
  }

  #acknowledge(job: JobId, acknowledge: readonly Acknowledgement[], areProvisional = false): void {
    const byClient = new Map<ClientId, TaskIndex[]>();
    for (const { client, index } of acknowledge) {
      const indexes = byClient.get(client);
      if (indexes) indexes.push(index);
      else byClient.set(client, [index]);
    }
    for (const [client, indexes] of byClient)
      this.#send(client, {
        type: "accepted",
        job,
        indexes,
        ...(areProvisional && { provisional: true as const }),
      });
  }

  #untilDone(what: string, job: JobId, work: () => Promise<unknown>): void {
    untilDone(this.#log, what, { job }, work);
  }

  #inBackground(what: string, promise: Promise<unknown>): void {
    promise.catch((error: unknown) => {
      if (!isOfEndedJob(error)) this.#log.error({ err: error }, `could not ${what}`);
    });
  }
}

function outcomesOf(outcomes: readonly NewOutcome[], indexes: readonly TaskIndex[]): NewOutcome[] {
  const wanted = new Set(indexes);
  return outcomes.filter(({ index }) => wanted.has(index));
}

function countDone(outcomes: readonly NewOutcome[]): number {
  let done = 0;
  for (const { state } of outcomes) if (state === "done") done++;
  return done;
}

/** Whether the store refused because the job was deleted or ended meanwhile. */
function isOfEndedJob(error: unknown): boolean {
  const { code } = PlatformError.from(error);
  return code === "NOT_FOUND" || code === "WRONG_STATE";
}

/** Requirements on the clients of a job, those of its verification included. */
export function requirementsOf({ requires, verify, statement }: JobRow): Requirements {
  const isForTrusted = verify === "trusted" || statement.irreproducible || requires.command !== undefined;
  return isForTrusted ? { ...requires, trusted: true } : requires;
}

function toSchedulerJob(row: JobRow): SchedulerJob {
  const {
    id,
    name,
    description,
    customer,
    kernel,
    seed,
    timeoutMs,
    memoryMb,
    priority,
    paused,
    maxAttempts,
    signature,
    verify,
    compare,
    check,
    statement,
    failFast,
    portable,
    createdAt,
  } = row;
  return {
    descriptor: {
      id,
      name,
      customer,
      kernel,
      ...(signature && { signature }),
      seed,
      timeoutMs,
      memoryMb,
      ...(portable && { portable: true as const }),
      ...(row.requires.command !== undefined && { command: row.requires.command }),
      ...(row.requires.webgpu && { webgpu: true as const }),
      ...(description !== undefined && { description }),
    },
    customer,
    priority,
    paused,
    maxAttempts,
    requires: requirementsOf(row),
    verify,
    compare,
    check,
    irreproducible: statement.irreproducible,
    failFast,
    createdAt,
    everDone: row.done > 0,
  };
}
