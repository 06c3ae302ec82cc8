/** A population of volunteers and one job of theirs. */
export interface Scenario {
  readonly name: string;
  /** Number of tasks of the job. */
  readonly tasks: number;
  /** Volunteers that compute at the same time. */
  readonly volunteers: number;
  /** Share of the volunteers that are headless nodes; the others are tabs. */
  readonly nodes: number;
  /** Tasks in a tab's mean session. */
  readonly tasksPerSession: number;
  /** Share of cheats among the persons that join. */
  readonly cheats: number;
  /** Chance of a cheat's result to be a lie, or one lie in each session. */
  readonly lies: number | "once";
  /** Results that a cheat delivers honestly under each identity before the first lie. */
  readonly sleeps: number;
  /** Cohorts among which persons are spread; Infinity: a cohort of its own for each person. */
  readonly cohorts: number;
  /** Whether cheats share no cohort with others: then they are a share of the cohorts, and not of the persons in each. */
  readonly apart: boolean;
  /** Whether a cheat that was caught goes on in a new cohort. */
  readonly movesOn: boolean;
  /** Share of faulty hosts among the persons that join, and the chance of a wrong bit in one of their results. */
  readonly faulty: number;
  readonly faults: number;
  /** Whether the kernel module checks results, in a hundredth of the time of a task. */
  readonly check: boolean;
  /** Share of the tasks at which the kernel gives another result in browsers. */
  readonly irreproducible: number;
  /** Computing power of the trusted clients, as a share of the volunteers'. */
  readonly trusted: number;
  /** Chance of a person to come back with the same identity after a session. */
  readonly returns: number;
}

const usual: Omit<Scenario, "name"> = {
  tasks: 30_000,
  volunteers: 200,
  nodes: 0.1,
  tasksPerSession: 50,
  cheats: 0.01,
  lies: 0.1,
  sleeps: 0,
  cohorts: 20,
  apart: false,
  movesOn: false,
  faulty: 0,
  faults: 0.001,
  check: false,
  irreproducible: 0,
  trusted: 0.2,
  returns: 0.5,
};

/** The usual scenario with the given changes. */
export function scenario(name: string, changes: Partial<Scenario> = {}): Scenario {
  return { ...usual, ...changes, name };
}

/** Cohorts of thousands of results, of which cheats have one in a hundred for themselves. */
const largeCohorts: Partial<Scenario> = {
  apart: true,
  cohorts: 100,
  volunteers: 400,
  tasksPerSession: 500,
  tasks: 300_000,
};

/** Few nodes and thousands of results of each, so that sleepers become trusted. */
const fewNodes: Partial<Scenario> = { nodes: 1, volunteers: 20, cheats: 0.05, tasks: 60_000 };

/** The scenarios of the table in docs/trust.md. */
export const scenarios: readonly Scenario[] = [
  scenario("everybody honest", { cheats: 0 }),
  scenario("f 0.01 %, q 1", { cheats: 0.0001, lies: 1 }),
  scenario("f 0.1 %, q 0.1", { cheats: 0.001 }),
  scenario("f 1 %, q 1", { lies: 1 }),
  scenario("f 1 %, q 0.1"),
  scenario("f 1 %, q 0.02", { lies: 0.02 }),
  scenario("f 1 %, q 0.01", { lies: 0.01 }),
  scenario("f 1 %, one lie a session", { lies: "once" }),
  scenario("f 5 %, q 0.1", { cheats: 0.05 }),
  scenario("f 20 %, q 1", { cheats: 0.2, lies: 1 }),
  scenario("f 20 %, q 0.1", { cheats: 0.2 }),
  scenario("cheats' own cohorts, q 1", { ...largeCohorts, lies: 1 }),
  scenario("cheats' own cohorts, q 0.1", largeCohorts),
  scenario("cheats' own cohorts, q 0.02", { ...largeCohorts, lies: 0.02 }),
  scenario("f 1 %, q 0.1, check", { check: true }),
  scenario("one cohort", { cohorts: 1 }),
  scenario("two cohorts", { cohorts: 2 }),
  scenario("a cohort each", { cohorts: Infinity }),
  scenario("a new cohort once caught", { movesOn: true }),
  scenario("20 nodes, f 5 %", fewNodes),
  scenario("20 nodes, f 5 %, sleep 100 results", { ...fewNodes, sleeps: 100 }),
  scenario("20 nodes, f 5 %, sleep 1,000 results", { ...fewNodes, sleeps: 1000 }),
  scenario("faulty hosts", { cheats: 0, faulty: 0.05, faults: 0.01 }),
  scenario("irreproducible, 1 %", { cheats: 0, irreproducible: 0.01 }),
  scenario("irreproducible, 0.1 %", { cheats: 0, irreproducible: 0.001 }),
  scenario("nodes only", { nodes: 1 }),
  scenario("1 task a session", { tasksPerSession: 1, tasks: 10_000 }),
  scenario("10 tasks a session", { tasksPerSession: 10 }),
  scenario("500 tasks a session", { tasksPerSession: 500, tasks: 150_000 }),
  scenario("T/V 0", { trusted: 0 }),
  scenario("T/V 0.05", { trusted: 0.05 }),
  scenario("T/V 0.1", { trusted: 0.1 }),
];
