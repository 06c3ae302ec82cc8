import { expect, test } from "vitest";
import { judge, summarise } from "../../bench/harness/case-result.ts";
import type { Case, Run } from "../../bench/harness/topic.ts";

const run = (name: string, more: Partial<Run> = {}): Run => ({ name, script: "none.ts", ...more });
const results = {
  ours: summarise(run("ours", { durable: true }), [{ value: 100 }]),
  asUsed: summarise(run("as used", { durable: true }), [{ value: 40 }]),
  slower: summarise(run("slower", { durable: true }), [{ value: 10 }]),
  byHand: summarise(run("by hand", { durable: true, upperBound: true }), [{ value: 80 }]),
  inMemory: summarise(run("in memory"), [{ value: 200 }]),
};
const peers = [results.slower, results.byHand, results.asUsed, results.inMemory];

function makeCase(goal: NonNullable<Case["goal"]>): Case {
  return { name: "a case", unit: "tasks/s", better: "higher", goal, manyhands: run("ours"), peers: [] };
}

test("a durable goal is set by the fastest durable peer as it is used; the upper bound is told beside it", () => {
  expect(judge(makeCase({ ratio: 2.5, of: "durable" }), results.ours, peers)).toEqual([
    { text: "≥ 2.5 × as used", ratio: 2.5, met: true },
    { text: "upper bound, by hand", ratio: 1.25 },
  ]);
});

test("a goal of any peer is set by the fastest that is no upper bound, a named one by that peer", () => {
  const goals = [{ ratio: 1 }, { ratio: 1, of: "by hand" }];
  expect(judge(makeCase(goals), results.ours, peers).slice(0, 2)).toEqual([
    { text: "≥ 1 × in memory", ratio: 0.5, met: false },
    { text: "≥ 1 × by hand", ratio: 1.25, met: true },
  ]);
});
