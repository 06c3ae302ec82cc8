import { makeClientId, type ClientId, type TaskIndex } from "../../shared/ids.ts";
import type { Scenario } from "./scenario.ts";

/** Mean session of a tab: 6 min 50 s (CrowdProcess, 2013). Its spread is an assumption: lognormal with σ = 1. */
const tabMs = 410_000;
const tabSigma = 1;
/** Sessions of a node: Weibull, as Nurmi, Brevik and Wolski (2005) fitted it to the availability of Condor workstations. */
const nodeShape = 0.43;
const nodeScaleMs = 3_409_000;

/** A volunteer. A cheat has one identity after the other. */
export interface Person {
  readonly kind: "browser" | "node";
  readonly nature: "honest" | "cheat" | "faulty";
  cohort: number;
  id: ClientId;
  /** Results that were delivered under the present identity. */
  delivered: number;
  /** Result of the session that is a lie, for a cheat with one lie a session. */
  liesAt: number;
  /** Results that were delivered in the session. */
  inSession: number;
}

/** 0 is the right output, 1 the lie on which all cheats agree, 2 the output of an irreproducible kernel; larger numbers are faults. */
export type OutputCode = number;

/** Volunteers of a simulation: their sessions and their answers. */
export class Population {
  readonly #scenario: Scenario;
  readonly #random: () => number;
  /** Tasks about which a cheat lied: other cheats back the lie. */
  readonly #lies = new Set<TaskIndex>();
  #cohorts = 0;

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario;
    this.#random = random;
  }

  /** Run time of a task on a volunteer's machine: within a tenth of the usual one. */
  taskMs(): number {
    return this.usualMs * (0.9 + 0.2 * this.#random());
  }

  get usualMs(): number {
    return tabMs / this.#scenario.tasksPerSession;
  }

  /** The person that comes after another one: often the same. */
  next(before: Person | undefined): Person {
    if (before && this.#random() < this.#scenario.returns) return before;
    const { cheats, faulty, nodes } = this.#scenario;
    const cohort = this.#cohort();
    const sort = this.#sort(cohort);
    return {
      kind: this.#random() < nodes ? "node" : "browser",
      nature: sort < cheats ? "cheat" : sort < cheats + faulty ? "faulty" : "honest",
      cohort,
      id: this.#identity(),
      delivered: 0,
      liesAt: 0,
      inSession: 0,
    };
  }

  /** Begins a session. @returns its length in ms */
  begin(person: Person): number {
    person.inSession = 0;
    person.liesAt = Math.floor(this.#random() * this.#scenario.tasksPerSession);
    return person.kind === "browser" ? this.#lognormal() : this.#weibull();
  }

  /** A cheat that was caught takes a fresh identity. */
  renew(person: Person): void {
    person.id = this.#identity();
    person.delivered = 0;
    if (this.#scenario.movesOn) person.cohort = this.#newCohort();
  }

  /** The output of a person for a task. */
  compute(person: Person, index: TaskIndex): OutputCode {
    const at = person.inSession++;
    const sleeps = person.delivered++ < this.#scenario.sleeps;
    if (person.nature === "faulty")
      return this.#random() < this.#scenario.faults ? 3 + Math.floor(this.#random() * 2 ** 32) : 0;
    if (person.nature === "honest" || sleeps)
      return person.kind === "browser" && this.#differs(index) ? 2 : 0;
    const { lies } = this.#scenario;
    const lie = this.#lies.has(index) || (lies === "once" ? at === person.liesAt : this.#random() < lies);
    if (lie) this.#lies.add(index);
    return lie ? 1 : 0;
  }

  /** Whether browsers compute other bits for the task. */
  #differs(index: TaskIndex): boolean {
    const { irreproducible } = this.#scenario;
    return irreproducible > 0 && (Math.imul(index + 1, 0x9e3779b1) >>> 0) / 2 ** 32 < irreproducible;
  }

  /** A number below 1: the lowest are cheats, the next ones faulty hosts. */
  #sort(cohort: number): number {
    const { apart, cohorts } = this.#scenario;
    return apart ? cohort / cohorts : this.#random();
  }

  #cohort(): number {
    const { cohorts } = this.#scenario;
    return Number.isFinite(cohorts) ? Math.floor(this.#random() * cohorts) : this.#newCohort();
  }

  /** A cohort beyond those of the scenario. */
  #newCohort(): number {
    return 1_000_000 + this.#cohorts++;
  }

  #identity(): ClientId {
    return makeClientId((count) => Uint8Array.from({ length: count }, () => this.#random() * 256));
  }

  #lognormal(): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
    return tabMs * Math.exp(tabSigma * normal - tabSigma ** 2 / 2);
  }

  #weibull(): number {
    return nodeScaleMs * (-Math.log(1 - this.#random())) ** (1 / nodeShape);
  }
}
