import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { pino } from "pino";
import type { BlobName } from "../../shared/data-reference.ts";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { makeClientId, makeJobId, type ClientId, type JobId, type TaskIndex } from "../../shared/ids.ts";
import type { FailureKind, LeasedTask, ServerMessage, TaskOutcome } from "../../shared/wire/protocol.ts";
import type { JobOptions } from "../../shared/wire/rest/job-options.ts";
import { Dispatcher } from "../../server/dispatch/dispatcher.ts";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import type { JobRow, Store } from "../../server/store/store.ts";
import type { SchedulerClientInfo } from "../../server/scheduler/events.ts";
import { checkInvariants } from "../../server/scheduler/invariants.ts";
import type { SchedulerConfig } from "../../server/scheduler/state.ts";

/** Computes the output of a task, or fails (with the kind of failure as the cause). A call of a verifying function has a `call`. */
export type Computer = (input: Value, task: LeasedTask) => Value | Error | { readonly blob: BlobName };

/** The computation of every honest client. */
export const square: Computer = (input) => (input as number) ** 2;

/** The computation of a client that lies. */
export const wrong: Computer = (input) => (input as number) ** 2 + 1;

/** Lies about one task of n. */
export const liar =
  (n: number): Computer =>
  (input, task) =>
    (input as number) % n === 0 ? wrong(input, task) : square(input, task);

/** The right outputs of a job. */
export function squares(count: number): Value[] {
  return Array.from({ length: count }, (_, index) => index ** 2);
}

export interface WorldClient {
  readonly id: ClientId;
  /** Tasks that the client got and has not answered. */
  readonly held: { job: JobId; task: LeasedTask }[];
  compute: Computer;
  /** Number of tasks that the client answered. */
  answered: number;
  /** Verdicts that the client was told, by task. */
  readonly told: Map<TaskIndex, string>;
  refused: string | undefined;
}

const source = new TextEncoder().encode("export default (n) => n ** 2;");
const kernel = { sha256: sha256Hex(source), size: source.length };

/** The real dispatcher, scheduler and store on a clock of its own, with clients that tests drive task by task. */
export class VerificationWorld {
  now = 1000;
  readonly clients = new Map<ClientId, WorldClient>();
  readonly pardoned: ClientId[] = [];
  auditorsCalled = 0;
  store!: Store;
  dispatcher!: Dispatcher;
  readonly #config: Partial<SchedulerConfig>;
  readonly #directory = mkdtempSync(join(tmpdir(), "manyhands-verification-"));

  private constructor(config: Partial<SchedulerConfig>) {
    this.#config = config;
  }

  static async open(config: Partial<SchedulerConfig> = {}): Promise<VerificationWorld> {
    const world = new VerificationWorld(config);
    await world.start();
    onTestFinished(async () => {
      await world.stop();
      rmSync(world.#directory, { recursive: true, force: true });
    });
    return world;
  }

  /** Starts a dispatcher and opens the store, as a server does. State that an earlier dispatcher had only in memory is gone. */
  async start(): Promise<void> {
    this.clients.clear();
    await this.stop();
    this.store = await openSqliteStore(this.#directory);
    await this.store.putKernel(kernel.sha256, source, "ada");
    const windows = await this.store.listWindows();
    this.dispatcher = new Dispatcher({
      store: this.store,
      log: pino({ level: "silent" }),
      clock: () => this.now,
      scheduler: {
        graceMs: 30_000,
        quarantineAfter: 3,
        speculate: false,
        auditors: false,
        firstWindow: 1 + Math.max(0, ...windows.map(({ number }) => number)),
        standings: await this.store.listStandings(),
        ...this.#config,
      },
      listener: {
        outcomesStored: () => {},
        auditorsCalled: () => (this.auditorsCalled += 1),
        clientBarred: (client, reason) => {
          const barred = this.clients.get(client);
          if (barred) barred.refused = reason;
          this.leave(client);
        },
        clientsPardoned: (clients) => this.pardoned.push(...clients),
      },
    });
    for (const row of await this.store.listJobs({ active: true })) this.dispatcher.addJob(row);
    this.dispatcher.feed({ type: "provisionalFound", windows });
  }

  async stop(): Promise<void> {
    (this.dispatcher as Dispatcher | undefined)?.stopLeasing();
    await (this.store as Store | undefined)?.close();
  }

  async job(count: number, options: Partial<JobOptions> = {}): Promise<JobId> {
    const id = makeJobId(randomBytes);
    const { job } = await this.store.createJob({
      name: "job",
      priority: 0,
      maxAttempts: 5,
      timeoutMs: 60_000,
      memoryMb: 64,
      seed: "0",
      requires: {},
      failFast: false,
      math: "portable",
      portable: false,
      verify: "audit",
      compare: "bits",
      check: false,
      ...options,
      id,
      customer: "ada",
      kernel,
      createdAt: 1,
    });
    const tasks = Array.from({ length: count }, (_, index) => ({
      index,
      input: encodeValue(index),
      refs: [],
    }));
    await this.store.submit(id, tasks);
    const row = await this.store.closeJob(id);
    this.dispatcher.addJob({ ...job, ...row });
    await this.settle();
    return id;
  }

  join(compute: Computer, overrides: Partial<SchedulerClientInfo> = {}): WorldClient {
    const id = overrides.id ?? makeClientId(randomBytes);
    const client: WorldClient = { id, held: [], compute, answered: 0, told: new Map(), refused: undefined };
    this.clients.set(id, client);
    this.dispatcher.connections.add(id, {
      send: (message) => this.#take(client, message),
      refuse: () => {},
      bye: () => {},
    });
    const trusted = overrides.trusted ?? false;
    this.feed({
      type: "clientConnected",
      client: {
        id,
        kind: trusted ? "node" : "browser",
        memoryMb: 1024,
        webgpu: false,
        trusted,
        cohort: trusted ? id : "lab",
        slots: 1,
        ...overrides,
      },
      held: [],
      cached: [],
    });
    this.feed({ type: "clientWanted", client: id, tasks: 16, slots: 4 });
    return client;
  }

  stranger(compute: Computer, cohort = "lab"): WorldClient {
    return this.join(compute, { cohort });
  }

  trusted(compute: Computer = square): WorldClient {
    return this.join(compute, { trusted: true });
  }

  leave(client: ClientId): void {
    this.feed({ type: "clientLeft", client });
    this.clients.delete(client);
  }

  feed(event: Parameters<Dispatcher["feed"]>[0]): void {
    this.dispatcher.feed(event);
    checkInvariants(this.dispatcher.scheduler.state);
  }

  /** Lets a client deliver results until it gets no more tasks, at most `most` of them. */
  async work(client: WorldClient, most = Infinity): Promise<number> {
    const before = client.answered;
    await this.settle();
    while (client.held.length > 0 && client.answered - before < most && this.clients.has(client.id)) {
      for (const { job, task } of client.held.splice(0, Math.max(1, Math.min(client.held.length, most))))
        this.#answer(client, job, task);
      await this.settle();
    }
    return client.answered - before;
  }

  /** Lets all clients work until nothing moves any more. */
  async workAll(): Promise<void> {
    for (let moved = 1; moved > 0;) {
      moved = 0;
      for (const client of this.clients.values()) moved += await this.work(client);
    }
  }

  async pass(ms: number): Promise<void> {
    this.now += ms;
    this.feed({ type: "timePassed" });
    await this.settle();
  }

  /** Waits until the store has answered every verb. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) {
      await this.store.check();
      await new Promise((resolve) => setImmediate(resolve));
    }
    checkInvariants(this.dispatcher.scheduler.state);
  }

  async row(id: JobId): Promise<JobRow> {
    const row = await this.store.getJob(id);
    if (!row) throw new Error(`there is no job ${id}`);
    return row;
  }

  /** The accepted outputs by index. */
  async outputs(id: JobId): Promise<Map<TaskIndex, Value>> {
    const rows = await this.store.results(id, 0, 100_000, 100_000_000);
    return new Map(
      rows.map((row) => [
        row.index,
        row.state === "done" ? decodeValue(row.output as Uint8Array) : row.failure.kind,
      ]),
    );
  }

  /** The accepted outputs in the order of their indexes. */
  async outputsInOrder(id: JobId): Promise<Value[]> {
    return [...(await this.outputs(id))].sort(([a], [b]) => a - b).map(([, value]) => value);
  }

  #take(client: WorldClient, message: ServerMessage): void {
    if (message.type === "lease")
      client.held.push(...message.tasks.map((task) => ({ job: message.job.id, task })));
    if (message.type === "accepted")
      for (const index of message.indexes)
        client.told.set(index, message.provisional ? "delivered" : "accepted");
    if (message.type === "verdict")
      for (const index of message.indexes) client.told.set(index, message.state);
    if (message.type === "cancel")
      for (let at = client.held.length - 1; at >= 0; at--) {
        const { job, task } = client.held[at]!;
        if (job === message.job && (message.indexes?.includes(task.index) ?? true)) client.held.splice(at, 1);
      }
  }

  #answer(client: WorldClient, job: JobId, task: LeasedTask): void {
    client.answered += 1;
    const { index, attempt, input } = task;
    const value = client.compute(decodeValue(input as Uint8Array), task);
    const outcome: TaskOutcome =
      value instanceof Error
        ? {
            state: "failed",
            failure: { kind: (value.cause ?? "error") as FailureKind, message: value.message },
          }
        : { state: "done", output: isBlob(value) ? value.blob : encodeValue(value) };
    this.feed({
      type: "resultsReceived",
      client: client.id,
      job,
      results: [{ index, attempt, elapsedMs: 10, outcome }],
    });
  }
}

function isBlob(value: Value | { readonly blob: BlobName }): value is { readonly blob: BlobName } {
  return typeof value === "object" && value !== null && "blob" in value;
}
