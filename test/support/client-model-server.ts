import type { ClientId, JobId } from "../../shared/ids.ts";
import {
  decodeClientFrame,
  encodeFrame,
  type ClientMessage,
  type ServerMessage,
} from "../../shared/wire/protocol.ts";
import type { Transport, TransportHandlers } from "../../shared/client/ports.ts";
import { makeIdentity } from "./identity.ts";
import type { ModelStore } from "./client-model-store.ts";
import type { VirtualClock } from "./client-virtual-clock.ts";
import type {
  Acknowledgement,
  Instruction,
  SchedulerEvent,
  SchedulerJob,
} from "../../server/scheduler/events.ts";
import { checkInvariants } from "../../server/scheduler/invariants.ts";
import { Scheduler } from "../../server/scheduler/scheduler.ts";

const graceMs = 5000;

/** The server's end of an in-memory socket: frames arrive in order, some milliseconds later, and never after a break. */
class ServerConnection {
  client: ClientId | undefined;
  alive = true;
  readonly #clock: VirtualClock;
  readonly #latency: () => number;
  readonly #handlers: TransportHandlers;
  #lastDelivery = 0;
  #lastArrival = 0;

  constructor(clock: VirtualClock, latency: () => number, handlers: TransportHandlers) {
    this.#clock = clock;
    this.#latency = latency;
    this.#handlers = handlers;
  }

  /** Acts at the client's end after the latency. */
  deliver(action: () => void): void {
    const at = Math.max(this.#lastDelivery, this.#clock.now() + this.#latency());
    this.#lastDelivery = at;
    this.#clock.setTimer(at - this.#clock.now(), () => this.alive && action());
  }

  /** Acts at the server's end after the latency. */
  arrive(action: () => void): void {
    const at = Math.max(this.#lastArrival, this.#clock.now() + this.#latency());
    this.#lastArrival = at;
    this.#clock.setTimer(at - this.#clock.now(), () => this.alive && action());
  }

  send(message: ServerMessage): void {
    const frame = encodeFrame([message]);
    this.deliver(() => this.#handlers.received(frame));
  }

  /** Ends the connection for both ends. */
  break(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#clock.setTimer(0, () => this.#handlers.closed(1006, ""));
  }
}

/** The real scheduler behind in-memory sockets and a model store. */
export class ModelServer {
  readonly stores = new Map<JobId, ModelStore>();
  readonly #jobs: SchedulerJob[];
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly connections = new Set<ServerConnection>();
  scheduler: Scheduler;
  /** Share of acknowledgements that are sent twice. */
  repeats = 0;
  /** Share of commits that the disk refuses. */
  refusals = 0;
  up = true;

  constructor(
    clock: VirtualClock,
    random: () => number,
    jobs: readonly { job: SchedulerJob; store: ModelStore }[],
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#jobs = jobs.map(({ job }) => job);
    for (const { job, store } of jobs) this.stores.set(job.descriptor.id, store);
    this.scheduler = this.#newScheduler();
    this.#tick();
  }

  #newScheduler(): Scheduler {
    const believeUntil = this.#clock.now() + 120_000;
    return new Scheduler({ graceMs, quarantineAfter: 50, speculate: true, auditors: false, believeUntil });
  }

  /** Adds the jobs to a new scheduler. */
  open(): void {
    for (const job of this.#jobs) this.feed({ type: "jobAdded", job });
  }

  /** Kills the server and starts it on the same data: connections break, claims and leases are forgotten. */
  restart(): void {
    for (const connection of this.connections) this.drop(connection);
    this.scheduler = this.#newScheduler();
    for (const store of this.stores.values()) store.forgetClaims();
    this.open();
  }

  #tick(): void {
    this.#clock.setTimer(1000, () => {
      this.feed({ type: "timePassed" });
      for (const connection of this.connections)
        if (connection.client) connection.send({ type: "heartbeat" });
      this.#tick();
    });
  }

  feed(event: SchedulerEvent): void {
    const instructions = this.scheduler.handle(event, this.#clock.now());
    checkInvariants(this.scheduler.state);
    for (const instruction of instructions) this.#carryOut(instruction);
  }

  transport(latency: () => number): Transport {
    return {
      connect: (handlers) => {
        const connection = new ServerConnection(this.#clock, latency, handlers);
        if (this.up) {
          this.connections.add(connection);
          connection.deliver(() => handlers.opened());
        } else connection.break();
        return {
          bufferedBytes: 0,
          send: (frame) => connection.arrive(() => this.#received(connection, frame)),
          // Frames that were sent before the close still arrive, as with TCP.
          close: () => connection.arrive(() => this.drop(connection)),
        };
      },
    };
  }

  /** The connection breaks, and the server notices at once. */
  drop(connection: ServerConnection): void {
    connection.break();
    this.connections.delete(connection);
    const { client } = connection;
    if (client && ![...this.connections].some((other) => other.client === client))
      this.feed({ type: "clientVanished", client });
  }

  #received(connection: ServerConnection, frame: Uint8Array): void {
    for (const message of decodeClientFrame(frame)) {
      if (message.type === "hello") this.#welcome(connection, message);
      else if (connection.client) this.#heard(connection.client, message);
    }
  }

  #welcome(connection: ServerConnection, hello: Extract<ClientMessage, { type: "hello" }>): void {
    const identity = hello.identity ?? makeIdentity();
    const id = identity.client;
    for (const other of this.connections) if (other.client === id) this.drop(other);
    connection.client = id;
    const { kind, memoryMb, webgpu, slots, held, cached } = hello;
    const event = {
      type: "clientConnected" as const,
      client: { id, kind, memoryMb, webgpu, trusted: true, cohort: id, slots },
      held,
      cached,
    };
    const instructions = this.scheduler.handle(event, this.#clock.now());
    const dropped = instructions.flatMap((instruction) =>
      instruction.type === "sendDropped" ? instruction.leases : [],
    );
    connection.send({
      type: "welcome",
      version: "0.1.0",
      identity,
      ticket: "ticket",
      heartbeatMs: 1000,
      dropped: [...dropped],
    });
    for (const instruction of instructions) this.#carryOut(instruction);
  }

  #heard(client: ClientId, message: ClientMessage): void {
    switch (message.type) {
      case "want":
        return this.feed({ ...message, type: "clientWanted", client });
      case "results":
        return this.feed({ ...message, type: "resultsReceived", client });
      case "release":
        return this.feed({ type: "leasesReleased", client, leases: message.leases });
      case "checkpoint":
        return this.feed({ type: "checkpointReceived", client, lease: keyOf(message), state: message.state });
      case "cached":
        return this.feed({ ...message, type: "cacheChanged", client });
      case "goodbye":
        return this.feed({ type: "clientLeft", client });
      default:
        return;
    }
  }

  #send(client: ClientId, message: ServerMessage): void {
    for (const connection of this.connections) if (connection.client === client) connection.send(message);
  }

  #accept(acknowledge: readonly Acknowledgement[], job: JobId): void {
    for (const { client, index } of acknowledge) {
      const accepted = { type: "accepted" as const, job, indexes: [index] };
      this.#send(client, accepted);
      if (this.#random() < this.repeats)
        this.#clock.setTimer(this.#random() * 2000, () => this.#send(client, accepted));
    }
  }

  /** Store verbs come back some milliseconds later, unless the server was killed meanwhile. */
  #later(action: () => void): void {
    const { scheduler } = this;
    this.#clock.setTimer(this.#random() * 20, () => scheduler === this.scheduler && action());
  }

  #carryOut(instruction: Instruction): void {
    switch (instruction.type) {
      case "claimTasks": {
        const { job, limit } = instruction;
        return this.#later(() =>
          this.feed({ type: "tasksClaimed", job, limit, tasks: this.#store(job).claim(limit) }),
        );
      }
      case "unclaimTasks":
        return this.#store(instruction.job).unclaim(instruction.indexes);
      case "sendLease":
        return this.#send(instruction.client, {
          type: "lease",
          job: instruction.job,
          tasks: [...instruction.tasks],
        });
      case "sendCancel": {
        const { job, indexes } = instruction;
        return this.#send(instruction.client, {
          type: "cancel",
          job,
          ...(indexes && { indexes: [...indexes] }),
        });
      }
      case "sendAccepted":
        return this.#accept(
          instruction.indexes.map((index) => ({ client: instruction.client, index })),
          instruction.job,
        );
      case "storeOutcomes": {
        const { job, outcomes, acknowledge } = instruction;
        return this.#later(() => {
          if (this.#random() < this.refusals)
            return this.feed({ type: "outcomesRefused", job, indexes: outcomes.map(({ index }) => index) });
          const stored = this.#store(job).complete(outcomes);
          this.feed({ type: "outcomesStored", job, ...stored, done: stored.accepted.length });
          this.#accept(acknowledge, job);
        });
      }
      case "storeAttempts": {
        const { job, attempts, acknowledge } = instruction;
        return this.#later(() => {
          this.#store(job).recordAttempts(attempts);
          this.#accept(acknowledge, job);
        });
      }
      case "storeCheckpoint":
        this.#store(instruction.job).checkpoints.set(instruction.index, instruction.state);
        return;
      default:
        return;
    }
  }

  #store(job: JobId): ModelStore {
    const store = this.stores.get(job);
    if (!store) throw new Error(`no store of ${job}`);
    return store;
  }
}

function keyOf({ job, index, attempt }: { job: JobId; index: number; attempt: number }) {
  return { job, index, attempt };
}
