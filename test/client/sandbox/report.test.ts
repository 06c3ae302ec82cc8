import { expect, test } from "vitest";
import { limits } from "../../../shared/limits.ts";
import type { FinishedTask } from "../../../shared/client/sandbox-task.ts";
import { FinishedWriter } from "../../../shared/client/sandbox/finished-writer.ts";
import { readReport } from "../../../shared/client/sandbox/report.ts";
import { kernelName } from "../../support/client-session-harness.ts";

const done = { indexes: [0], sizes: [1], bytes: new Uint8Array([1]) };

test("a report of the runner comes through as it is", () => {
  const finished: FinishedTask[] = [
    {
      index: 0,
      outcome: { state: "done", output: new Uint8Array([1, 2]), refs: [kernelName] },
    },
    {
      index: 1,
      outcome: { state: "failed", failure: { kind: "error", message: "m", stack: "s" } },
    },
    { index: 2, outcome: { state: "done", output: new Uint8Array([3]), refs: [] } },
  ];
  const report = {
    progress: { index: 2, fraction: 0.5 },
    checkpoint: { index: 2, state: new Uint8Array([1]) },
    log: { index: 2, lines: ["a"] },
  };
  const writer = new FinishedWriter();
  for (const { index, outcome } of finished) writer.add(index, outcome);
  expect(readReport({ ...report, finished: writer.take() })).toEqual({ ...report, finished });
  expect(writer.count).toBe(0);
});

test("a large output leaves in its own buffer, and small ones in buffers of exactly their bytes", () => {
  const writer = new FinishedWriter();
  const large = new Uint8Array(2 * 1024 * 1024).fill(7);
  const finishedWith = (...outputs: Uint8Array[]) => {
    outputs.forEach((output, index) => writer.add(index, { state: "done", output, refs: [] }));
    const pack = writer.take();
    const read = readReport({ finished: pack }).finished?.map(({ outcome }) => outcome);
    expect(read).toEqual(outputs.map((output) => ({ state: "done", output, refs: [] })));
    return pack.bytes;
  };
  expect(finishedWith(large).buffer).toBe(large.buffer);
  const small = finishedWith(Uint8Array.of(1), Uint8Array.of(2, 3));
  expect(small.buffer.byteLength).toBe(3);
  expect(finishedWith(large, Uint8Array.of(4), large.slice()).buffer).not.toBe(large.buffer);
  expect(large[1024]).toBe(7);
  expect([...small]).toEqual([1, 2, 3]);
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
  {},
  { ...done, indexes: ["0"] },
  { ...done, indexes: [2 ** 60] },
  { ...done, indexes: [0, 1] },
  { ...done, sizes: [2] },
  { ...done, sizes: [0] },
  { ...done, sizes: [0.5] },
  { ...done, bytes: "1" },
  { ...done, bytes: undefined },
])("[KERNEL-4] columns that do not fit together are no report of any task: %j", (raw) => {
  expect(readReport({ finished: raw }).finished).toEqual([]);
});

test.each([{}, { refs: [7] }, { refs: Array(limits.refsPerTask + 1).fill(kernelName) }, { failure: 7 }])(
  "a task that finished with nonsense has failed: %j",
  (extra) => {
    const finished = { ...done, extras: [{ at: 0, ...extra }] };
    expect(readReport({ finished }).finished).toMatchObject([
      { index: 0, outcome: { state: "failed", failure: { kind: "unserialisable" } } },
    ]);
  },
);

test.each([7, null, { at: 1, failure: {} }, { at: -1, failure: {} }, { at: "0", failure: {} }])(
  "an extra of no task is left out: %j",
  (extra) => {
    expect(readReport({ finished: { ...done, extras: [extra] } }).finished).toMatchObject([
      { outcome: { state: "done" } },
    ]);
  },
);

test("[KERNEL-4] every field is cut to the protocol's bounds", () => {
  const failure = { kind: "nonsense", message: "m".repeat(1e5), stack: "s".repeat(1e5) };
  const many = (count: number, extras: unknown[] = []) => {
    const indexes = Array.from({ length: count }, (_, i) => i);
    const zeros = indexes.map(() => 0);
    return { indexes, sizes: zeros, bytes: new Uint8Array(), extras };
  };
  expect(readReport({ finished: many(limits.tasksPerMessage + 1) }).finished).toEqual([]);
  const { finished = [], log } = readReport({
    finished: many(limits.tasksPerMessage, [{ at: 0, failure }]),
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
