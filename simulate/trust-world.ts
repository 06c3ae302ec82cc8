import { sha256Hex } from "../shared/hash.ts";
import { makeClientId, makeJobId, type ClientId, type JobId, type TaskIndex } from "../shared/ids.ts";
import type { LeasedTask } from "../shared/wire/protocol.ts";
import type { Instruction, SchedulerEvent } from "../server/scheduler/events.ts";
import { Scheduler } from "../server/scheduler/scheduler.ts";
import { ModelStore } from "./model-store.ts";
import type { Random } from "./random.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** A population of volunteers that computes one job. */
export interface Scenario {
  readonly name: string;
  readonly tasks: number;
  /** Mean run time of a task, in s. */
  readonly taskSeconds: number;
  /** Browser tabs that are open at a time; one that closes is followed by another. */
  readonly tabs: number;
  /** Trusted slots for each tab; 0: the server's auditor alone, with one slot. */
  readonly trustedShare: number;
  /** Share of the tabs that return wrong results, and the chance that such a tab lies about a task. */
  readonly cheats: number;
  readonly lieRate: number;
  /** Share of the tabs whose machines are faulty, and the chance that such a machine returns a wrong result. */
  readonly faulty?: number;
  readonly faultRate?: number;
  /** Number of address prefixes among which the tabs are spread. */
  readonly cohorts: number;
  /** Number of address prefixes that cheats have to themselves; absent: they share those of the others. */
  readonly cheatCohorts?: number;
  /** Whether a cheat that was banned comes back with a fresh identity, in the same cohort. */
  readonly comesBack: boolean;
}

export interface Outcome {
  /** Accepted results of strangers, and wrong ones among them. */
  readonly accepted: number;
  readonly wrong: number;
  /** Tasks computed for audits or again after a withdrawal, for each accepted result. */
  readonly overhead: number;
  /** Results of machines that return no wrong ones, and how many of them were withdrawn. */
  readonly honestDelivered: number;
  readonly honestWithdrawn: number;
  /** Identities that were banned. */
  readonly burnt: number;
  /** Seconds from a delivery to its acceptance: median and 95th percentile. */
  readonly delays: readonly [number, number];
  readonly virtualSeconds: number;
}

interface Machine {
  readonly id: ClientId;
  readonly cohort: string;
  readonly trusted: boolean;
  /** Chance of a wrong result. */
  readonly errorRate: number;
  readonly isCheat: boolean;
  /** Time for a task, as a multiple of the mean. */
  readonly slowness: number;
  readonly queue: LeasedTask[];
  running: number;
  readonly slots: number;
  isHere: boolean;
}

/** Sessions of CrowdProcess' volunteers lasted 6 min 50 s on average; the spread is that of web sessions. */
export const meanSessionSeconds = 410;
const sessionSigma = 1.2;
const right = new Uint8Array([0]);
const wrong = new Uint8Array([1]);

/** Runs the real scheduler on a virtual clock until the job is finished, with a model of store, network and clients. */
export function runTrust(scenario: Scenario, random: Random): Outcome {
  return new World(scenario, random).run();
}

class World {
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #job: JobId;
  readonly #store: ModelStore;
  readonly #scheduler: Scheduler;
  readonly #machines = new Map<ClientId, Machine>();
  readonly #events: SchedulerEvent[] = [];
  /** When provisional results were delivered. */
  readonly #deliveredAt = new Map<TaskIndex, number>();
  readonly #delays: number[] = [];
  /** Whether the author of a window may return wrong results. */
  readonly #windows = new Map<number, boolean>();
  #isPumping = false;
  #accepted = 0;
  #wrong = 0;
  #extra = 0;
  #honestDelivered = 0;
  #honestWithdrawn = 0;
  #burnt = 0;

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario;
    this.#random = random;
    this.#job = makeJobId((count) => this.#bytes(count));
    this.#store = new ModelStore(scenario.tasks);
    this.#scheduler = new Scheduler({
      graceMs: 30_000,
      quarantineAfter: 3,
      auditors: true,
      speculate: true,
      randomInt: (end) => random.below(end),
    });
  }

  run(): Outcome {
    const { tasks, tabs, trustedShare } = this.#scenario;
    this.#pump({ type: "jobAdded", job: this.#schedulerJob() });
    for (let tab = 0; tab < tabs; tab++) this.#openTab();
    const trusted = Math.round(tabs * trustedShare);
    for (let node = 0; node < trusted; node++) this.#join(this.#machine({ trusted: true }));
    if (trusted === 0) this.#join(this.#machine({ trusted: true }), true);
    const tick = (): void => {
      this.#pump({ type: "timePassed" });
      this.#clock.after(1000, tick);
    };
    tick();
    // A job that does not end would be a fault of the scheduler: ten times the time that the tabs alone need, and a day.
    const patience = (10 * 1000 * tasks * this.#scenario.taskSeconds) / tabs + 86_400_000;
    while (!this.#store.isFinished && this.#clock.now < patience) this.#clock.step();
    if (!this.#store.isFinished) throw new Error(`the job of "${this.#scenario.name}" did not end`);
    return this.#outcome();
  }

  #outcome(): Outcome {
    const delays = this.#delays.sort((a, b) => a - b);
    const at = (share: number): number => (delays[Math.floor(share * (delays.length - 1))] ?? 0) / 1000;
    return {
      accepted: this.#accepted,
      wrong: this.#wrong,
      overhead: this.#extra / Math.max(1, this.#accepted),
      honestDelivered: this.#honestDelivered,
      honestWithdrawn: this.#honestWithdrawn,
      burnt: this.#burnt,
      delays: [at(0.5), at(0.95)],
      virtualSeconds: this.#clock.now / 1000,
    };
  }

  #schedulerJob(): Extract<SchedulerEvent, { type: "jobAdded" }>["job"] {
    return {
      descriptor: {
        id: this.#job,
        name: "simulated",
        customer: "ada",
        kernel: { sha256: sha256Hex(right), size: 1 },
        seed: "0",
        timeoutMs: 24 * 3_600_000,
        memoryMb: 64,
      },
      customer: "ada",
      priority: 0,
      paused: false,
      maxAttempts: 5,
      requires: {},
      verify: "audit",
      compare: "bits",
      check: false,
      irreproducible: false,
      failFast: true,
      createdAt: 0,
      everDone: false,
    };
  }

  #bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#random.below(256));
  }

  #machine({ trusted = false, cohort = "", isCheat = false, errorRate = 0 }): Machine {
    return {
      id: makeClientId((count) => this.#bytes(count)),
      cohort,
      trusted,
      errorRate,
      isCheat,
      slowness: this.#random.lognormal(1, 0.5),
      queue: [],
      running: 0,
      slots: 1,
      isHere: true,
    };
  }

  #openTab(before?: Machine): void {
    const { cheats, lieRate, faulty = 0, faultRate = 0, cohorts, cheatCohorts } = this.#scenario;
    const isCheat = before ? before.isCheat : this.#random.chance(cheats);
    const own = isCheat && cheatCohorts !== undefined;
    const place = own
      ? `cheats ${this.#random.below(cheatCohorts)}`
      : `cohort ${this.#random.below(cohorts)}`;
    const cohort = before?.cohort ?? place;
    const faults = this.#random.chance(faulty) ? faultRate : 0;
    const tab = this.#machine({ cohort, isCheat, errorRate: isCheat ? lieRate : faults });
    this.#join(tab);
    const session = this.#random.lognormal(meanSessionSeconds, sessionSigma);
    this.#clock.after(1000 * session, () => {
      if (!tab.isHere) return;
      this.#leave(tab);
      this.#openTab();
    });
  }

  #join(machine: Machine, auditor = false): void {
    const { id, cohort, trusted, slots } = machine;
    this.#machines.set(id, machine);
    this.#pump({
      type: "clientConnected",
      client: {
        id,
        kind: trusted ? "node" : "browser",
        memoryMb: 1024,
        webgpu: false,
        trusted,
        cohort: trusted ? id : cohort,
        slots,
        auditor,
      },
      held: [],
      cached: [],
    });
    this.#pump({ type: "clientWanted", client: id, tasks: 2 * slots, slots });
  }

  #leave(machine: Machine): void {
    machine.isHere = false;
    this.#machines.delete(machine.id);
    this.#pump({ type: "clientLeft", client: machine.id });
  }

  /** Feeds an event, and those that follow from it. */
  #pump(event: SchedulerEvent): void {
    this.#events.push(event);
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let next = this.#events.shift(); next; next = this.#events.shift())
      for (const instruction of this.#scheduler.handle(next, this.#clock.now)) this.#carryOut(instruction);
    this.#isPumping = false;
  }

  #carryOut(instruction: Instruction): void {
    const job = this.#job;
    const store = this.#store;
    switch (instruction.type) {
      case "claimTasks": {
        const { limit } = instruction;
        return this.#pump({ type: "tasksClaimed", job, tasks: store.claim(limit), limit });
      }
      case "sendLease": {
        const machine = this.#machines.get(instruction.client);
        machine?.queue.push(...instruction.tasks);
        if (machine) this.#compute(machine);
        return;
      }
      case "sendCancel": {
        const queue = this.#machines.get(instruction.client)?.queue;
        const { indexes } = instruction;
        if (queue)
          queue.splice(0, queue.length, ...queue.filter(({ index }) => indexes && !indexes.includes(index)));
        return;
      }
      case "storeOutcomes": {
        const outputs = instruction.outcomes.flatMap((outcome) =>
          outcome.state === "done" ? [{ index: outcome.index, output: outcome.output as Uint8Array }] : [],
        );
        const accepted = store.complete(outputs).map(({ index }) => index);
        const dropped = outputs.map(({ index }) => index).filter((index) => !accepted.includes(index));
        return this.#pump({ type: "outcomesStored", job, accepted, dropped, done: accepted.length });
      }
      case "keepProvisional": {
        const { window } = instruction;
        const outputs = instruction.outputs.map(({ index, output }) => ({
          index,
          output: output as Uint8Array,
        }));
        const kept = store.keep(window.number, outputs);
        const author = this.#machines.get(window.client);
        if (author) this.#windows.set(window.number, author.errorRate > 0);
        for (const index of kept) this.#deliveredAt.set(index, this.#clock.now);
        const dropped = outputs.map(({ index }) => index).filter((index) => !kept.includes(index));
        return this.#pump({ type: "provisionalKept", job, window: window.number, kept, dropped });
      }
      case "acceptProvisional": {
        const { window, indexes } = instruction;
        const outputs = store.accept(window, indexes);
        for (const { index, output } of outputs) {
          this.#accepted += 1;
          if (output !== right) this.#wrong += 1;
          this.#delays.push(this.#clock.now - this.#deliveredAt.get(index)!);
          this.#deliveredAt.delete(index);
        }
        const accepted = outputs.map(({ index }) => index);
        const dropped = indexes.filter((index) => !accepted.includes(index));
        return this.#pump({ type: "provisionalAccepted", job, window, accepted, dropped });
      }
      case "withdrawProvisional": {
        const withdrawn = store.withdraw(instruction.window, instruction.indexes);
        this.#extra += withdrawn.length;
        if (this.#windows.get(instruction.window) === false) this.#honestWithdrawn += withdrawn.length;
        return this.#pump({ type: "provisionalReopened", job });
      }
      case "readAudits": {
        const { window, indexes } = instruction;
        return this.#pump({
          type: "auditsRead",
          job,
          window,
          tasks: store.read(indexes),
          outputs: undefined,
        });
      }
      case "compareOutputs": {
        const { window, index, second } = instruction;
        const first = instruction.first ?? store.output(window, index);
        const agree = first === undefined ? ("gone" as const) : first === second;
        return this.#pump({ type: "outputsCompared", job, window, index, agree, first });
      }
      case "barClient": {
        const machine = this.#machines.get(instruction.client);
        this.#burnt += 1;
        if (!machine) return;
        // After the events of this one, as a closed socket would be.
        this.#clock.after(0, () => {
          if (!machine.isHere) return;
          this.#leave(machine);
          this.#openTab(machine.isCheat && this.#scenario.comesBack ? machine : undefined);
        });
        return;
      }
      default:
        return;
    }
  }

  #compute(machine: Machine): void {
    while (machine.running < machine.slots) {
      const task = machine.queue.shift();
      if (!task) return;
      machine.running += 1;
      const ms = 1000 * this.#scenario.taskSeconds * machine.slowness * this.#random.lognormal(1, 0.3);
      this.#clock.after(ms, () => this.#deliver(machine, task, ms));
    }
  }

  #deliver(machine: Machine, { index, attempt }: LeasedTask, elapsedMs: number): void {
    if (!machine.isHere) return;
    machine.running -= 1;
    const output = this.#random.chance(machine.errorRate) ? wrong : right;
    const held = this.#scheduler.state.jobs.get(this.#job)?.tasks.get(index);
    if (machine.trusted && held?.audit) this.#extra += 1;
    if (!machine.trusted && machine.errorRate === 0) this.#honestDelivered += 1;
    const outcome = { state: "done" as const, output };
    const results = [{ index, attempt, elapsedMs, outcome }];
    this.#pump({ type: "resultsReceived", client: machine.id, job: this.#job, results });
    this.#compute(machine);
  }
}
