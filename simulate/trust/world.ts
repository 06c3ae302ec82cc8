import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { LeasedTask } from "../../shared/wire/protocol.ts";
import { seededRandom } from "../../shared/random.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import type { Instruction, SchedulerEvent, SchedulerJob } from "../../server/scheduler/events.ts";
import { Scheduler } from "../../server/scheduler/scheduler.ts";
import { EventQueue } from "../event-queue.ts";
import { newCounts, sampled, type Counts } from "./measures.ts";
import { Population, type OutputCode, type Person } from "./population.ts";
import type { Scenario } from "./scenario.ts";
import { StoreModel } from "./store-model.ts";

const job = "j_aaaaaaaaaaaaaaaa" as JobId;
/** Leases that a client asks for: one to compute, and one that waits. */
const wanted = 2;
const trustedClients = 2;
const dayMs = 86_400_000;
/** Longest virtual time; a job that is not over by then is judged by its accepted results. */
const longestMs = 365 * dayMs;

/** Run time of a kernel module's `check`, as a share of a task's. */
const checkCost = 0.01;

/** A connected client with its leases. */
interface Machine {
  readonly id: ClientId;
  /** Undefined for a trusted client. */
  readonly person: Person | undefined;
  readonly seat: number;
  /** Time that a task takes, as a share of the usual one. */
  readonly pace: number;
  readonly endsAt: number;
  readonly held: LeasedTask[];
  computing: LeasedTask | undefined;
}

type Happening =
  | { readonly type: "clock" }
  | { readonly type: "arrival"; readonly seat: number }
  | { readonly type: "departure"; readonly machine: Machine }
  | { readonly type: "computed"; readonly machine: Machine; readonly task: LeasedTask };

type Of<T extends Instruction["type"]> = Extract<Instruction, { type: T }>;

/** Runs a scenario once: the real scheduler, with a model of the store, and volunteers on a virtual clock. */
export function runManyhands(scenario: Scenario, seed: string): Counts {
  return new World(scenario, seed).run();
}

class World {
  readonly #scenario: Scenario;
  readonly #random: () => number;
  readonly #population: Population;
  readonly #store: StoreModel;
  readonly #scheduler: Scheduler;
  readonly #happenings = new EventQueue<Happening>();
  readonly #events: SchedulerEvent[] = [];
  readonly #machines = new Map<ClientId, Machine>();
  /** The present or last person of each seat. */
  readonly #seats: (Person | undefined)[] = [];
  readonly #banned = new Set<ClientId>();
  readonly #natures = new Map<number, Person["nature"]>();
  readonly #deliveredAt: Float64Array;
  readonly #closedAt = new Map<number, number>();
  readonly #counts = newCounts();
  readonly #outputs: Uint8Array[] = [new Uint8Array([0]), new Uint8Array([1])];
  #now = 0;
  #isOver = false;

  constructor(scenario: Scenario, seed: string) {
    this.#scenario = scenario;
    this.#random = seededRandom(`${seed} ${scenario.name}`);
    this.#population = new Population(scenario, this.#random);
    this.#store = new StoreModel(scenario.tasks);
    this.#deliveredAt = new Float64Array(scenario.tasks);
    this.#scheduler = new Scheduler({
      graceMs: 30_000,
      quarantineAfter: 3,
      speculate: true,
      auditors: false,
      randomInt: (end) => Math.floor(this.#random() * end),
    });
  }

  run(): Counts {
    const { usualMs } = this.#population;
    this.#feed({ type: "jobAdded", job: describeJob(usualMs, this.#scenario) });
    this.#joinTrusted();
    for (let seat = 0; seat < this.#scenario.volunteers; seat++)
      this.#happenings.add(this.#random() * usualMs, { type: "arrival", seat });
    // A second as in the server, or less often when tasks take long.
    const tickMs = Math.min(15_000, Math.max(1000, usualMs / 4));
    this.#happenings.add(tickMs, { type: "clock" });
    for (let next = this.#happenings.take(); next && !this.#isOver; next = this.#happenings.take()) {
      this.#now = next.at;
      if (this.#now > longestMs) break;
      this.#happen(next.value);
      if (next.value.type === "clock") this.#happenings.add(this.#now + tickMs, { type: "clock" });
    }
    return this.#counts;
  }

  #happen(happening: Happening): void {
    switch (happening.type) {
      case "clock":
        return this.#feed({ type: "timePassed" });
      case "arrival":
        return this.#arrive(happening.seat);
      case "departure":
        return this.#depart(happening.machine);
      case "computed":
        return this.#deliver(happening.machine, happening.task);
    }
  }

  #joinTrusted(): void {
    const { trusted, volunteers } = this.#scenario;
    if (trusted === 0) return;
    for (let number = 0; number < trustedClients; number++)
      this.#connect({
        id: `c_trusted${number}` as ClientId,
        person: undefined,
        seat: -1,
        pace: trustedClients / (trusted * volunteers),
        endsAt: Infinity,
        held: [],
        computing: undefined,
      });
  }

  #arrive(seat: number): void {
    const person = this.#population.next(this.#seats[seat]);
    this.#seats[seat] = person;
    if (this.#banned.has(person.id)) {
      if (person.nature !== "cheat") {
        this.#seats[seat] = undefined;
        return this.#arrive(seat);
      }
      this.#population.renew(person);
    }
    this.#sit(seat, person, this.#now + this.#population.begin(person));
  }

  #sit(seat: number, person: Person, endsAt: number): void {
    const { id } = person;
    const machine = { id, person, seat, pace: 1, endsAt, held: [], computing: undefined };
    this.#happenings.add(endsAt, { type: "departure", machine });
    this.#connect(machine);
  }

  #connect(machine: Machine): void {
    const { id, person } = machine;
    this.#machines.set(id, machine);
    this.#feed({
      type: "clientConnected",
      client: {
        id,
        kind: person?.kind ?? "node",
        memoryMb: 4096,
        webgpu: false,
        trusted: !person,
        cohort: person ? `cohort ${person.cohort}` : id,
        slots: 1,
      },
      held: [],
      cached: [],
    });
    this.#feed({ type: "clientWanted", client: id, tasks: wanted, slots: 1 });
  }

  #depart(machine: Machine): void {
    if (this.#machines.get(machine.id) !== machine) return;
    this.#disconnect(machine);
    this.#happenings.add(this.#now, { type: "arrival", seat: machine.seat });
  }

  #disconnect({ id }: Machine): void {
    this.#machines.delete(id);
    this.#feed({ type: "clientLeft", client: id });
  }

  #compute(machine: Machine): void {
    const task = machine.held[0];
    if (!task || machine.computing) return;
    machine.computing = task;
    const cost = task.call ? checkCost : 1;
    this.#happenings.add(this.#now + cost * machine.pace * this.#population.taskMs(), {
      type: "computed",
      machine,
      task,
    });
  }

  #deliver(machine: Machine, task: LeasedTask): void {
    const { id, person, held } = machine;
    if (machine.computing !== task || this.#machines.get(id) !== machine) return;
    machine.computing = undefined;
    held.shift();
    const { index, attempt } = task;
    const window = this.#auditedWindow(index);
    if (window !== undefined) this.#counts.extra += task.call ? checkCost : 1;
    else this.#deliveredAt[index] = this.#now;
    const code = person ? this.#population.compute(person, index) : 0;
    if (person?.nature === "honest" && window === undefined) this.#counts.honest += 1;
    this.#feed({
      type: "resultsReceived",
      client: id,
      job,
      results: [
        {
          index,
          attempt,
          elapsedMs: machine.pace * this.#population.usualMs,
          outcome: { state: "done", output: task.call ? inspect(task.call) : this.#outputOf(code) },
        },
      ],
    });
    this.#compute(machine);
  }

  #auditedWindow(index: TaskIndex): number | undefined {
    return this.#scheduler.state.jobs.get(job)?.tasks.get(index)?.audit?.window.number;
  }

  #outputOf(code: OutputCode): Uint8Array {
    return this.#outputs[code] ?? new Uint8Array(new Float64Array([code]).buffer);
  }

  #feed(event: SchedulerEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    // An event that follows from an instruction comes after the other instructions.
    for (let at = 0; at < this.#events.length; at++)
      for (const instruction of this.#scheduler.handle(this.#events[at]!, this.#now))
        this.#carryOut(instruction);
    this.#events.length = 0;
  }

  #carryOut(instruction: Instruction): void {
    switch (instruction.type) {
      case "claimTasks": {
        const { limit } = instruction;
        return this.#feed({ type: "tasksClaimed", job, tasks: this.#store.claim(limit), limit });
      }
      case "unclaimTasks":
        return this.#store.unclaim(instruction.indexes);
      case "sendLease":
        return this.#lease(instruction);
      case "sendCancel":
        return this.#cancel(instruction);
      case "storeOutcomes":
        return this.#complete(instruction);
      case "keepProvisional":
        return this.#keep(instruction);
      case "acceptProvisional":
        return this.#accept(instruction);
      case "withdrawProvisional":
        return this.#withdraw(instruction);
      case "readAudits":
        return this.#readAudits(instruction);
      case "compareOutputs": {
        const { window, index, first, second } = instruction;
        const agree = this.#store.agree(window, index, first as Uint8Array | undefined, second as Uint8Array);
        return this.#feed({ type: "outputsCompared", job, window, index, agree, first });
      }
      case "barClient":
        return this.#ban(instruction.client);
      case "noteIrreproducible":
        this.#counts.stopped += 1;
        this.#isOver = true;
        return;
      case "quarantineJob":
        throw new Error(`the job was ended: ${instruction.reason.message}`);
      case "saveStanding":
      case "sendAccepted":
      case "storeAttempts":
      case "pardonClients":
        return;
      default:
        throw new Error(`the simulation knows no ${instruction.type}`);
    }
  }

  #lease({ client, tasks }: Of<"sendLease">): void {
    const machine = this.#machines.get(client);
    if (!machine) return;
    machine.held.push(...tasks);
    this.#compute(machine);
  }

  #cancel({ client, indexes }: Of<"sendCancel">): void {
    const machine = this.#machines.get(client);
    if (!machine) return;
    for (let at = machine.held.length - 1; at >= 0; at--)
      if (indexes?.includes(machine.held[at]!.index) ?? true) machine.held.splice(at, 1);
    if (!machine.computing || machine.held.includes(machine.computing)) return;
    machine.computing = undefined;
    this.#compute(machine);
  }

  #complete({ outcomes }: Of<"storeOutcomes">): void {
    const { accepted, dropped } = this.#store.complete(outcomes.map(({ index }) => index));
    this.#feed({ type: "outcomesStored", job, accepted, dropped, done: accepted.length });
    this.#endIfFinished();
  }

  #keep({ window: { number, client }, outputs }: Of<"keepProvisional">): void {
    const nature = this.#machines.get(client)?.person?.nature;
    if (nature) this.#natures.set(number, nature);
    const { kept, dropped } = this.#store.keep(number, outputs);
    this.#counts.extra += dropped.length;
    this.#feed({ type: "provisionalKept", job, window: number, kept, dropped });
  }

  #accept({ window, indexes, checks: { unverified = 0 } }: Of<"acceptProvisional">): void {
    const { accepted, dropped } = this.#store.accept(window, indexes);
    const counts = this.#counts;
    counts.unverified += unverified;
    counts.accepted += accepted.size;
    counts.extra += dropped.length;
    const closedAt = this.#closedAt.get(window) ?? this.#now;
    for (const [index, output] of accepted) {
      if (!isRight(output)) this.#noteWrong();
      if (index % sampled !== 0) continue;
      counts.delays.push(this.#now - this.#deliveredAt[index]!);
      counts.delaysAfterWindow.push(this.#now - closedAt);
    }
    this.#forget(window);
    this.#feed({ type: "provisionalAccepted", job, window, accepted: [...accepted.keys()], dropped });
    this.#endIfFinished();
  }

  #noteWrong(): void {
    const { exhausted = false, queue } = this.#scheduler.state.jobs.get(job) ?? {};
    this.#counts.wrong += 1;
    if (exhausted && queue?.size === 0) this.#counts.wrongAtEnd += 1;
  }

  #withdraw({ window, indexes }: Of<"withdrawProvisional">): void {
    const { withdrawn, reopened } = this.#store.withdraw(window, indexes);
    this.#counts.extra += withdrawn.length;
    if (this.#natures.get(window) === "honest") this.#counts.honestWithdrawn += withdrawn.length;
    if (!indexes) this.#forget(window);
    if (reopened.length > 0) this.#feed({ type: "provisionalReopened", job });
  }

  #forget(window: number): void {
    this.#closedAt.delete(window);
    this.#natures.delete(window);
  }

  #readAudits({ window, indexes, inspect }: Of<"readAudits">): void {
    if (!inspect && !this.#closedAt.has(window)) this.#closedAt.set(window, this.#now);
    const tasks = this.#store.readTasks(indexes);
    const outputs = inspect
      ? new Map(indexes.map((index) => [index, this.#store.output(window, index)!]))
      : undefined;
    this.#feed({ type: "auditsRead", job, window, asked: indexes.length, tasks, outputs });
  }

  #ban(id: ClientId): void {
    if (this.#banned.has(id)) return;
    this.#banned.add(id);
    this.#counts.burnt += 1;
    const machine = this.#machines.get(id);
    if (!machine?.person) return;
    this.#disconnect(machine);
    const { person, seat, endsAt } = machine;
    if (person.nature === "cheat") {
      this.#population.renew(person);
      this.#sit(seat, person, endsAt);
    } else this.#happenings.add(this.#now, { type: "arrival", seat });
  }

  #endIfFinished(): void {
    if (!this.#store.isFinished) return;
    this.#isOver = true;
  }
}

function isRight(output: Uint8Array): boolean {
  return output.length === 1 && output[0] === 0;
}

/** The answer of a kernel module that knows a right output. */
function inspect({ value }: NonNullable<LeasedTask["call"]>): Uint8Array {
  return encodeValue({ correct: isRight(value), suspicious: false });
}

function describeJob(usualMs: number, { check }: Scenario): SchedulerJob {
  return {
    descriptor: {
      id: job,
      name: "simulated",
      customer: "ada",
      kernel: { sha256: "0".repeat(64) as SchedulerJob["descriptor"]["kernel"]["sha256"], size: 1 },
      seed: "0",
      timeoutMs: 20 * usualMs,
      memoryMb: 64,
    },
    customer: "ada",
    priority: 0,
    paused: false,
    maxAttempts: 5,
    requires: {},
    verify: "audit",
    compare: "bits",
    check,
    irreproducible: false,
    failFast: false,
    createdAt: 0,
    everDone: false,
  };
}
