import { describe, expect, test } from "vitest";
import { EventQueue } from "../../simulate/event-queue.ts";
import { boinc } from "../../simulate/trust/other-rules.ts";
import { runOther } from "../../simulate/trust/other-world.ts";
import { scenario } from "../../simulate/trust/scenario.ts";
import { runManyhands } from "../../simulate/trust/world.ts";

const small = { tasks: 3000, volunteers: 50, cohorts: 5 };

describe("a simulation of strangers", () => {
  test("gives the same numbers for the same seed, and others for another", () => {
    const one = scenario("small", { ...small, cohorts: 2, cheats: 0.1 });
    expect(runManyhands(one, "1")).toEqual(runManyhands(one, "1"));
    expect(runManyhands(one, "1")).not.toEqual(runManyhands(one, "2"));
  });

  test("[VERIFY-3] [VERIFY-4] accepts no wrong result of cheats that always lie, and finds them", () => {
    // Two cohorts, so that the kernel is not doubted.
    const counts = runManyhands(scenario("liars", { ...small, cohorts: 2, cheats: 0.2, lies: 1 }), "1");
    expect(counts.wrong).toBe(0);
    expect(counts.burnt).toBeGreaterThan(10);
    expect(counts.accepted).toBeGreaterThan(1000);
  });

  test("[VERIFY-4] accepts some wrong results of cheats that lie seldom", () => {
    const counts = runManyhands(scenario("seldom", { ...small, cohorts: 2, cheats: 0.2, lies: 0.02 }), "1");
    expect(counts.wrong).toBeGreaterThan(0);
  });

  test("[VERIFY-3] withdraws nothing of honest volunteers, and audits about an eighth of newcomers' results", () => {
    const counts = runManyhands(scenario("honest", { ...small, cheats: 0, returns: 0 }), "1");
    expect(counts.honestWithdrawn).toBe(0);
    expect(counts.burnt).toBe(0);
    expect(counts.extra / counts.accepted).toBeGreaterThan(0.11);
    expect(counts.extra / counts.accepted).toBeLessThan(0.2);
  });

  test("gives BOINC's rule the same volunteers", () => {
    const counts = runOther(scenario("boinc", { ...small, cheats: 0.2, lies: 0.1 }), boinc, "1");
    expect(counts.accepted).toBeGreaterThan(2900);
    expect(counts.wrong).toBeGreaterThan(0);
  });
});

test("an event queue gives its values in order of time, then of arrival", () => {
  const queue = new EventQueue<string>();
  for (const [at, name] of [
    [5, "e"],
    [1, "a"],
    [3, "c"],
    [1, "b"],
    [4, "d"],
  ] as const)
    queue.add(at, name);
  expect(Array.from({ length: 6 }, () => queue.take()?.value)).toEqual(["a", "b", "c", "d", "e", undefined]);
});
