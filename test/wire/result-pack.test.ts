import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import type { BlobName } from "../../shared/data-reference.ts";
import {
  encodeJobLine,
  encodeResultPack,
  frameHeadBytes,
  readResultFrame,
  type JobLine,
  type PackableResult,
} from "../../shared/wire/result-pack.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";

const blob = { sha256: "a".repeat(64), size: 300_000 } as BlobName;
const failure: TaskFailure = { index: 3, kind: "error", message: "as asked", stack: "at x", attempts: 5 };

describe("a pack of results", () => {
  test("gives back outputs, blobs and failures, by position", () => {
    const rows: PackableResult[] = [
      { state: "done", seq: 4, index: 9, output: Uint8Array.of(1, 2) },
      { state: "failed", seq: 5, index: 3, failure },
      { state: "done", seq: 7, index: 0, output: blob },
      { state: "done", seq: 70_000, index: 2 ** 40, output: Uint8Array.of(3) },
    ];
    const frame = encodeResultPack(rows);
    expect(new DataView(frame.buffer).getUint32(0)).toBe(frame.length - frameHeadBytes);
    expect(readResultFrame(frame.subarray(frameHeadBytes))).toEqual({
      state: "pack",
      seqs: [4, 5, 7, 70_000],
      indexes: [9, 3, 0, 2 ** 40],
      sizes: [2, 0, 0, 1],
      bytes: Uint8Array.of(1, 2, 3),
      large: new Map([[2, blob]]),
      failures: new Map([[1, failure]]),
    });
  });

  test("a line that tells of the job stands in a frame as it is", () => {
    const counts = { total: 1, queued: 0, running: 0, provisional: 0, done: 1, failed: 0, cancelled: 0 };
    const statement = {
      strangers: 1,
      audited: 1,
      unverified: 0,
      checked: 0,
      wrong: 0,
      withdrawn: 0,
      irreproducible: false,
    };
    const line: JobLine = { state: "end", job: "finished", counts, statement };
    expect(readResultFrame(encodeJobLine(line).subarray(frameHeadBytes))).toEqual(line);
  });
});

describe("[PACK-2] a frame is refused", () => {
  const good = { seqs: [1, 2], indexes: [0, 1], sizes: [1, 0], bytes: new Uint8Array(1) };

  test("only when something is wrong with it", () => {
    expect(readResultFrame(encode(good))).toMatchObject(good);
  });

  test.each([
    ["that is no map", 7],
    ["whose sequence numbers do not grow", { ...good, seqs: [2, 2] }],
    ["that begins with 0", { ...good, seqs: [0, 1] }],
    ["with a column that is shorter", { ...good, seqs: [1] }],
    ["with a column that is longer", { ...good, indexes: [0, 1, 2] }],
    ["with an index that is none", { ...good, indexes: [0, -1] }],
    ["with an index that is no number", { ...good, indexes: [0, "1"] }],
    ["whose sizes do not fit", { ...good, sizes: [1, 1] }],
    ["with a failure that is none", { ...good, extras: [{ at: 1, failure: { index: 1 } }] }],
    ["with a failure outside", { ...good, extras: [{ at: 2, failure }] }],
    ["with a failure that has an output", { ...good, extras: [{ at: 0, failure }] }],
    ["with a blob where the output is here", { ...good, extras: [{ at: 0, output: blob }] }],
    ["with a failure that stands in a blob", { ...good, extras: [{ at: 1, failure, output: blob }] }],
    ["with a result as an item", { state: "failed", seq: 1, ...failure }],
    ["of an unknown state", { state: "unknown" }],
  ])("%s", (_, form) => {
    expect(() => readResultFrame(encode(form))).toThrow();
  });
});
