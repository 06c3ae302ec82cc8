import { expect, test } from "vitest";
import { runBoinc } from "../../simulate/peers.ts";
import { Random } from "../../simulate/random.ts";
import { runTrust, type Scenario } from "../../simulate/trust-world.ts";

const scenario: Scenario = {
  name: "small",
  tasks: 4000,
  taskSeconds: 1,
  tabs: 20,
  trustedShare: 0.2,
  cheats: 0.2,
  lieRate: 1,
  cohorts: 4,
  cheatCohorts: 1,
  comesBack: true,
};

test("[VERIFY-4] tabs that always lie are banned again and again, and nothing of theirs is accepted", () => {
  const outcome = runTrust(scenario, new Random(1));
  expect(outcome.burnt).toBeGreaterThan(1);
  expect(outcome.accepted).toBeGreaterThan(1000);
  expect(outcome).toMatchObject({ wrong: 0, honestWithdrawn: 0 });
});

test("rare lies among honest results are partly accepted, as the document says", () => {
  const { cheatCohorts: _, ...mixed } = scenario;
  const outcome = runTrust({ ...mixed, tasks: 20_000, cheats: 0.05, lieRate: 0.01 }, new Random(1));
  expect(outcome.wrong).toBeGreaterThan(0);
  expect(outcome.wrong / outcome.accepted).toBeLessThan(0.002);
});

test("a seed determines everything", () => {
  const run = () => runTrust({ ...scenario, lieRate: 0.1 }, new Random(7));
  expect(run()).toEqual(run());
  expect(run()).not.toEqual(runTrust({ ...scenario, lieRate: 0.1 }, new Random(8)));
});

test("BOINC's rule costs little where hosts stay, and a second computation of each result where they do not", () => {
  const population = { tasks: 20_000, cheats: 0, lieRate: 0 };
  const long = runBoinc({ ...population, resultsASession: 10_000 }, new Random(1));
  const short = runBoinc({ ...population, resultsASession: 5 }, new Random(1));
  expect(long.overhead).toBeLessThan(0.6);
  expect(short.overhead).toBeGreaterThan(0.9);
});
