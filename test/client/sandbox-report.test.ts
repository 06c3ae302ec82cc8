import { expect, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import { readReport } from "../../shared/client/sandbox-report.ts";
import { kernelName } from "../support/client-session-harness.ts";

const done = { state: "done", output: new Uint8Array([1]), refs: [kernelName] };

test("a report of the runner comes through as it is", () => {
  const report = {
    finished: [
      { index: 0, elapsedMs: 1.5, outcome: done },
      {
        index: 1,
        elapsedMs: 0,
        outcome: { state: "failed", failure: { kind: "error", message: "m", stack: "s" } },
      },
    ],
    progress: { index: 2, fraction: 0.5 },
    checkpoint: { index: 2, state: new Uint8Array([1]) },
    log: { index: 2, lines: ["a"] },
  };
  expect(readReport(report)).toEqual(report);
});

test.each([
  undefined,
  null,
  7,
  "text",
  [],
  { finished: 7, progress: 7, checkpoint: 7, log: 7 },
  { progress: { index: -1, fraction: 0.5 } },
  { progress: { index: 0, fraction: NaN } },
  { progress: { index: 0, fraction: 2 } },
  { checkpoint: { index: 0, state: "text" } },
  { checkpoint: { index: 0, state: new Uint8Array(limits.checkpointBytes + 1) } },
  { log: { index: 1.5, lines: ["a"] } },
  { log: { index: 0, lines: "text" } },
])("nonsense says nothing: %j", (raw) => {
  const { finished = [], ...rest } = readReport(raw);
  expect(finished).toEqual([]);
  expect(rest).toEqual({});
});

test.each([
  [null],
  [7],
  [{}],
  [{ index: "0", outcome: done }],
  [{ index: 2 ** 60, outcome: done }],
  [{ index: 0, outcome: 7 }],
])("a finished task that is none is left out: %j", (raw) => {
  expect(readReport({ finished: [raw] }).finished).toEqual([]);
});

test.each([
  { state: "odd" },
  { state: "done", output: "text", refs: [] },
  { state: "done", output: new Uint8Array(), refs: [7] },
  { state: "done", output: new Uint8Array(), refs: Array(limits.refsPerTask + 1).fill(kernelName) },
  { state: "failed", failure: 7 },
])("a task that finished with nonsense has failed: %j", (outcome) => {
  expect(readReport({ finished: [{ index: 0, elapsedMs: -1, outcome }] }).finished).toMatchObject([
    { index: 0, elapsedMs: 0, outcome: { state: "failed", failure: { kind: "unserialisable" } } },
  ]);
});

test("[KERNEL-4] everything is cut to the protocol's bounds", () => {
  const failure = { kind: "nonsense", message: "m".repeat(1e5), stack: "s".repeat(1e5) };
  const { finished = [], log } = readReport({
    finished: Array.from({ length: limits.tasksPerMessage + 1 }, () => ({
      index: 0,
      elapsedMs: 1,
      outcome: { state: "failed", failure },
    })),
    log: { index: 0, lines: Array(1000).fill("x".repeat(1e5)) },
  });
  expect(finished).toHaveLength(limits.tasksPerMessage);
  const [first] = finished;
  if (first?.outcome.state !== "failed") throw new Error("not failed");
  expect(first.outcome.failure.kind).toBe("error");
  expect(first.outcome.failure.message).toHaveLength(limits.messageChars);
  expect(first.outcome.failure.stack).toHaveLength(limits.stackChars);
  expect(log?.lines).toHaveLength(limits.logLinesPerMessage);
  expect(log?.lines[0]).toHaveLength(limits.logLineChars);
});
