import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import { makeClientId, type ClientId, type JobId } from "../../shared/ids.ts";
import { done, SchedulerHarness } from "../support/scheduler-harness.ts";
import type { Instruction, SchedulerEvent } from "../../server/scheduler/events.ts";

/** The same worlds in every run; FUZZ_RUNS adds new worlds. */
/** Memory of the demanding job. */
const enoughMb = 2048;

const fixed = Array.from({ length: 48 }, (_, i) => i + 1);
const fresh = Array.from({ length: Number(process.env["FUZZ_RUNS"] ?? 0) }, () =>
  Math.floor(Math.random() * 2 ** 31),
);

/** A store reduced to the scheduler's needs: claims, and one end of each task. */
class ModelStore {
  readonly open = new Set<number>();
  readonly claimed = new Set<number>();
  readonly ended = new Map<number, "done" | "failed">();
  readonly attempts = new Map<number, number>();

  complete(outcomes: readonly { index: number; state: "done" | "failed" }[]): {
    accepted: number[];
    dropped: number[];
  } {
    const accepted: number[] = [];
    const dropped: number[] = [];
    for (const { index, state } of outcomes) {
      this.claimed.delete(index);
      if (this.ended.has(index) || !this.open.has(index)) dropped.push(index);
      else {
        this.ended.set(index, state);
        this.open.delete(index);
        accepted.push(index);
      }
    }
    return { accepted, dropped };
  }
}

interface HeldLease {
  job: JobId;
  index: number;
  attempt: number;
}

/** A simulated world: clients that come, go, crash and repeat messages, and a store that sometimes refuses. */
class World {
  readonly h = new SchedulerHarness({ graceMs: 5000 });
  readonly stores = new Map<JobId, ModelStore>();
  readonly clients = new Map<ClientId, { held: HeldLease[]; connected: boolean }>();
  readonly memory = new Map<ClientId, number>();
  /** Pending replies of the store, which arrive late and between other events. */
  pending: (() => void)[] = [];
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(String(seed));
  }

  pick<T>(items: Iterable<T>): T | undefined {
    const list = [...items];
    return list[Math.floor(this.random() * list.length)];
  }

  feed(event: SchedulerEvent): void {
    for (const instruction of this.h.feed(event)) this.carryOut(instruction);
  }

  carryOut(instruction: Instruction): void {
    if (instruction.type === "claimTasks")
      this.pending.push(() => this.claim(instruction.job, instruction.limit));
    if (instruction.type === "unclaimTasks")
      for (const index of instruction.indexes) this.stores.get(instruction.job)?.claimed.delete(index);
    if (instruction.type === "storeOutcomes") this.pending.push(() => this.store(instruction));
    if (instruction.type === "sendLease") {
      const client = this.clients.get(instruction.client);
      for (const { index, attempt } of instruction.tasks)
        client?.held.push({ job: instruction.job.id, index, attempt });
    }
    if (instruction.type === "sendCancel") {
      const client = this.clients.get(instruction.client);
      if (client)
        client.held = client.held.filter(
          ({ job, index }) =>
            job !== instruction.job || (instruction.indexes && !instruction.indexes.includes(index)),
        );
    }
  }

  claim(job: JobId, limit: number): void {
    const store = this.stores.get(job)!;
    const indexes = [...store.open]
      .filter((index) => !store.claimed.has(index))
      .sort((a, b) => a - b)
      .slice(0, limit);
    for (const index of indexes) store.claimed.add(index);
    const tasks = indexes.map((index) => ({
      index,
      input: new Uint8Array(8),
      refs: [],
      attempts: store.attempts.get(index) ?? 0,
      checkpoint: undefined,
    }));
    this.feed({ type: "tasksClaimed", job, tasks, limit });
  }

  store({ job, outcomes }: Extract<Instruction, { type: "storeOutcomes" }>): void {
    if (this.random() < 0.05) {
      this.feed({ type: "outcomesRefused", job, indexes: outcomes.map(({ index }) => index) });
      return;
    }
    const stored = this.stores.get(job)!.complete(outcomes);
    this.feed({ type: "outcomesStored", job, ...stored, done: stored.accepted.length });
  }

  settle(): void {
    while (this.pending.length > 0) this.pending.shift()!();
  }

  step(): void {
    const roll = this.random();
    const id = this.pick(this.clients.keys());
    const client = id && this.clients.get(id);
    if (roll < 0.3 && this.pending.length > 0) this.pending.shift()!();
    else if (roll < 0.4 || !client) this.join();
    else if (roll < 0.7) this.report(id, client);
    else if (roll < 0.8)
      this.feed({
        type: "clientWanted",
        client: id,
        tasks: client.connected ? Math.floor(this.random() * 6) : 0,
        slots: 2,
      });
    else if (roll < 0.86) this.release(id, client);
    else if (roll < 0.92) this.breakConnection(id, client);
    else {
      this.h.now += this.random() * 4000;
      this.feed({ type: "timePassed" });
    }
  }

  join(): void {
    const gone = this.pick([...this.clients].filter(([, { connected }]) => !connected));
    if (gone && this.random() < 0.7) {
      const [id, client] = gone;
      client.connected = true;
      // Sometimes the client lost its memory (a crash of the tab), sometimes it still holds all leases.
      if (this.random() < 0.3) client.held = [];
      this.connect(id, client.held);
    } else if (this.clients.size < 8) this.newcomer(this.random() < 0.3 ? enoughMb : enoughMb / 2);
  }

  newcomer(memoryMb: number): ClientId {
    const id = makeClientId(randomBytes);
    this.clients.set(id, { held: [], connected: true });
    this.memory.set(id, memoryMb);
    this.connect(id, []);
    return id;
  }

  connect(id: ClientId, held: HeldLease[]): void {
    const memoryMb = this.memory.get(id)!;
    const info = { id, kind: "node" as const, memoryMb, webgpu: false, trusted: true, cohort: id, slots: 2 };
    this.feed({ type: "clientConnected", client: info, held, cached: [] });
  }

  report(id: ClientId, client: { held: HeldLease[]; connected: boolean }): void {
    const lease = client.connected && this.pick(client.held);
    if (!lease) return;
    const { job, index, attempt } = lease;
    const again = this.random() < 0.1;
    if (!again) client.held = client.held.filter((other) => other !== lease);
    if (this.random() < 0.8)
      this.feed({ type: "resultsReceived", client: id, job, results: [done(index, attempt)] });
    else
      for (const instruction of this.h.fail(id, job, index, attempt, this.random() < 0.2 ? "crash" : "error"))
        this.carryOut(instruction);
  }

  release(id: ClientId, client: { held: HeldLease[]; connected: boolean }): void {
    if (!client.connected) return;
    const leases = client.held.splice(0, 1 + Math.floor(this.random() * 3));
    this.feed({ type: "leasesReleased", client: id, leases });
  }

  breakConnection(id: ClientId, client: { connected: boolean }): void {
    if (!client.connected) return;
    client.connected = false;
    if (this.random() < 0.3) {
      this.clients.delete(id);
      this.feed({ type: "clientLeft", client: id });
    } else this.feed({ type: "clientVanished", client: id });
  }
}

describe("seeded worlds", () => {
  test.each([...fixed, ...fresh])("[ONCE-1] seed %i: every task ends exactly once", (seed) => {
    const world = new World(seed);
    const tasks = 30;
    for (let j = 0; j < 3; j++) {
      // A job that most clients may not run, and at times none.
      const requires = j === 1 ? { memoryMb: enoughMb } : {};
      const job = world.h.addJob({ customer: `c${j % 2}`, maxAttempts: 4, everDone: true, requires });
      const store = new ModelStore();
      for (let index = 0; index < tasks; index++) store.open.add(index);
      world.stores.set(job, store);
    }
    for (let i = 0; i < 400; i++) world.step();
    // In the end one good client finishes all tasks.
    world.settle();
    const good = world.newcomer(enoughMb);
    for (let i = 0; i < 400 && [...world.stores.values()].some(({ open }) => open.size > 0); i++) {
      world.h.now += 1000;
      world.feed({ type: "timePassed" });
      world.feed({ type: "clientWanted", client: good, tasks: 20, slots: 20 });
      const { held } = world.clients.get(good)!;
      for (const { job, index, attempt } of held.splice(0))
        world.feed({ type: "resultsReceived", client: good, job, results: [done(index, attempt)] });
      for (const [id, client] of world.clients)
        if (id !== good && client.connected) world.breakConnection(id, client);
      world.settle();
    }
    for (const store of world.stores.values()) {
      expect([...store.open]).toEqual([]);
      expect(store.ended.size).toBe(tasks);
    }
  });
});
