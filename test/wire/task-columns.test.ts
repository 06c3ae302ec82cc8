import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { MessagePack } from "../../shared/wire/messagepack.ts";
import { messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeFrame,
  type ClientMessage,
  type JobDescriptor,
  type LeasedTask,
  type ServerMessage,
  type TaskResult,
} from "../../shared/wire/protocol.ts";
import { packValues, unpackValues } from "../../shared/wire/column-pack.ts";

const blob = { sha256: "ab".repeat(32) as Sha256, size: 7 };
const job: JobDescriptor = {
  id: "j_aaaaaaaaaaaaaaaa" as JobDescriptor["id"],
  name: "job",
  customer: "ada",
  kernel: blob,
  seed: "0",
  timeoutMs: 1000,
  memoryMb: 64,
};

describe("packs of values", () => {
  it("come apart as they were put together, neighbours in one buffer or not", () => {
    const buffer = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const values = [
      buffer.subarray(0, 2),
      buffer.subarray(2, 3),
      new Uint8Array([9]),
      new Uint8Array(),
      buffer.subarray(4, 6),
      buffer.subarray(3, 4),
    ];
    const pack = packValues(values);
    expect(pack.bytes.buffer).not.toBe(buffer.buffer);
    expect(unpackValues(pack).map((value) => [...value])).toEqual(values.map((value) => [...value]));
    expect(packValues([])).toEqual({ sizes: [], bytes: new Uint8Array() });
  });
});

describe("leases and results on the wire", () => {
  const tasks: LeasedTask[] = [
    { index: 3, attempt: 1, input: new Uint8Array([1, 2]) },
    { index: 2 ** 40, attempt: 2, input: blob, refs: [blob] },
    { index: 4, attempt: 1, input: new Uint8Array(), resume: new Uint8Array([5]) },
    { index: 5, attempt: 1, input: blob, call: { name: "inspect", value: new Uint8Array([6, 7]) } },
    { index: 6, attempt: 1, input: new Uint8Array([8]), call: { name: "compare", value: new Uint8Array() } },
  ];
  const results: TaskResult[] = [
    { index: 1, attempt: 1, elapsedMs: 0.25, outcome: { state: "done", output: new Uint8Array([1]) } },
    { index: 2, attempt: 3, elapsedMs: 0, outcome: { state: "done", output: blob, refs: [blob] } },
    {
      index: 9,
      attempt: 1,
      elapsedMs: 2,
      outcome: { state: "failed", failure: { kind: "error", message: "no" } },
    },
    {
      index: 0,
      attempt: 1,
      elapsedMs: 2,
      outcome: { state: "done", output: new Uint8Array([2]), refs: [blob] },
    },
  ];

  it("arrive as they were sent", () => {
    const lease: ServerMessage = { type: "lease", job, tasks };
    expect(decodeServerFrame(encodeFrame([lease]))).toEqual([lease]);
    const delivery: ClientMessage = { type: "results", job: job.id, results };
    expect(decodeClientFrame(encodeFrame([delivery]))).toEqual([delivery]);
  });

  const columns = {
    indexes: [0, 1],
    attempts: [1, 1],
    elapsedMs: [1, 1],
    sizes: [1, 1],
    bytes: new Uint8Array(2),
  };
  const extra = { at: 1, failure: { kind: "error", message: "" } };
  it.each([
    ["indexes too few", { indexes: [0] }],
    ["an index below 0", { indexes: [0, -1] }],
    ["an index too large", { indexes: [0, limits.maxTaskIndex + 1] }],
    ["an index that is no number", { indexes: [0, "1"] }],
    ["no attempt", { attempts: [1, 0] }],
    ["times below 0", { elapsedMs: [1, -1] }],
    ["times without end", { elapsedMs: [1, Infinity] }],
    ["times too many", { elapsedMs: [1, 1, 1] }],
    ["sizes that are not those of the bytes", { sizes: [1, 2] }],
    ["sizes that add up by a negative one", { sizes: [3, -1] }],
    ["bytes left over", { bytes: new Uint8Array(3) }],
    [
      "a value too large",
      { sizes: [0, limits.inlineValueBytes + 1], bytes: new Uint8Array(limits.inlineValueBytes + 1) },
    ],
    ["bytes that are none", { bytes: "ab" }],
    ["an extra of no task", { extras: [{ ...extra, at: 2 }] }],
    ["two extras of one task", { extras: [extra, extra] }],
    ["an unknown column", { more: [] }],
    ["lists that are none", { indexes: { length: 2, 0: 0, 1: 1 } }],
  ])("[PROTO-2] refused: %s", (_, wrong) => {
    const message = { type: "results", job: job.id, results: { ...columns, ...wrong } };
    const frame = new MessagePack(messagePackBounds.frame).encode([message]);
    expect(() => decodeClientFrame(frame)).toThrow(expect.objectContaining({ code: "MALFORMED_FRAME" }));
  });

  it("takes those columns when nothing is wrong with them", () => {
    const frame = new MessagePack(messagePackBounds.frame).encode([
      { type: "results", job: job.id, results: columns },
    ]);
    expect(decodeClientFrame(frame)).toHaveLength(1);
  });
});
