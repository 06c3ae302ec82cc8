import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import type { BlobName } from "../../shared/data-reference.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { limits } from "../../shared/limits.ts";
import { readTaskPack, TaskPacker } from "../../shared/wire/task-pack.ts";

const blob = (digit: string): BlobName => ({ sha256: digit.repeat(64), size: 9 }) as BlobName;
const [a, b] = [blob("a"), blob("b")] as const;

describe("a pack of tasks", () => {
  test("gives back what was put in, whatever the sizes", () => {
    const inputs = [0, 1, 100, 70_000, 0, limits.inlineValueBytes].map((size) =>
      encodeValue(new Uint8Array(Math.max(0, size - 5)).fill(size)),
    );
    const packer = new TaskPacker(2 ** 33);
    for (const input of inputs) packer.add(input, []);
    expect(packer.length).toBe(inputs.length);
    const tasks = readTaskPack(packer.encode());
    expect(tasks).toEqual(inputs.map((input, i) => ({ index: 2 ** 33 + i, input, refs: [] })));
  });

  test("copies what is added: the bytes may change afterwards", () => {
    const shared = Uint8Array.of(1);
    const packer = new TaskPacker(0);
    packer.add(shared, []);
    shared[0] = 2;
    packer.add(shared, []);
    expect(readTaskPack(packer.encode()).map(({ input }) => input)).toEqual([
      Uint8Array.of(1),
      Uint8Array.of(2),
    ]);
  });

  test("names blobs, and large inputs in whatever order they were stored", () => {
    const packer = new TaskPacker(7);
    packer.add(Uint8Array.of(1), [a]);
    const first = packer.addLarge([a]);
    const second = packer.addLarge([]);
    packer.add(Uint8Array.of(2), [a, b]);
    second(a);
    first(b);
    expect(readTaskPack(packer.encode())).toEqual([
      { index: 7, input: Uint8Array.of(1), refs: [a] },
      { index: 8, input: b, refs: [a, b] },
      { index: 9, input: a, refs: [a] },
      { index: 10, input: Uint8Array.of(2), refs: [a, b] },
    ]);
  });

  test("is full before its references are more than a reader takes", () => {
    const packer = new TaskPacker(0);
    for (let at = 0; !packer.isFull; at++)
      packer.add(
        Uint8Array.of(1),
        Array.from({ length: limits.refsPerTask }, (_, i) => {
          const sha256 = (at * limits.refsPerTask + i).toString(16).padStart(64, "0");
          return { sha256, size: 1 } as BlobName;
        }),
      );
    expect(packer.length).toBeGreaterThan(10);
    expect(readTaskPack(packer.encode())).toHaveLength(packer.length);
  });

  test("of nothing is one of no tasks", () => {
    expect(readTaskPack(new TaskPacker(0).encode())).toEqual([]);
  });
});

describe("[PACK-1] a pack is refused", () => {
  const good = { first: 0, sizes: [1, 2], bytes: new Uint8Array(3) };

  test.each([
    ["that is no map", 7],
    ["that is nothing", null],
    ["without a first index", { ...good, first: undefined }],
    ["with a negative index", { ...good, first: -1 }],
    ["with half an index", { ...good, first: 0.5 }],
    ["whose last index is too high", { ...good, first: limits.maxTaskIndex }],
    ["whose sizes are no array", { ...good, sizes: 3 }],
    ["with a negative size", { ...good, sizes: [4, -1] }],
    ["with a size that is no number", { ...good, sizes: ["1", 2] }],
    ["with half a size", { ...good, sizes: [1.5, 1.5] }],
    ["with too few bytes", { ...good, bytes: new Uint8Array(2) }],
    ["with too many bytes", { ...good, bytes: new Uint8Array(4) }],
    ["whose bytes are none", { ...good, bytes: "abc" }],
    [
      "of too many tasks",
      { ...good, sizes: Array(limits.tasksPerMessage + 1).fill(0), bytes: new Uint8Array() },
    ],
    [
      "with an input over the limit",
      { first: 0, sizes: [limits.inlineValueBytes + 1], bytes: new Uint8Array(limits.inlineValueBytes + 1) },
    ],
    ["with a blob that is none", { ...good, extras: [{ at: 1, refs: [{ sha256: "x", size: 1 }] }] }],
    ["with a position that is not in it", { ...good, extras: [{ at: 2, refs: [a] }] }],
    ["with a position twice", { ...good, extras: [{ at: 1, refs: [a] }, { at: 1, refs: [b] }] }], // prettier-ignore
    ["with positions out of order", { ...good, extras: [{ at: 1, refs: [a] }, { at: 0, refs: [b] }] }], // prettier-ignore
    ["with half a position", { ...good, extras: [{ at: 0.5, refs: [a] }] }],
    ["with an unknown property", { ...good, extras: [{ at: 1, blobs: [a] }] }],
    ["with two blobs for one input", { ...good, sizes: [3, 0], extras: [{ at: 1, input: [a, b] }] }],
    ["with an input both here and in a blob", { ...good, extras: [{ at: 1, input: a }] }],
  ])("%s", (_, form) => {
    expect(() => readTaskPack(encode(form, { ignoreUndefined: true }))).toThrow(
      expect.objectContaining({ code: "BAD_REQUEST" }),
    );
  });

  test("that is cut, goes on, or announces more than there is", () => {
    const bytes = encode(good);
    for (let end = 0; end < bytes.length; end++)
      expect(() => readTaskPack(bytes.subarray(0, end))).toThrow(
        expect.objectContaining({ code: "BAD_REQUEST" }),
      );
    for (const wrong of [Uint8Array.of(...bytes, 0), Uint8Array.of(0xdd, 0x7f, 0xff, 0xff, 0xff)])
      expect(() => readTaskPack(wrong)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("[VALUE-3] with an input that no kernel could read, which it names", () => {
    const form = { first: 5, sizes: [1, 1], bytes: Uint8Array.of(7, 0xc1) };
    expect(() => readTaskPack(encode(form))).toThrow(/^Input 6: .*0xc1/);
    expect(() => readTaskPack(encode({ first: 5, sizes: [0], bytes: new Uint8Array() }))).toThrow(
      /^Input 5: /,
    );
  });

  test("that holds more than a pack may", () => {
    const form = { ...good, extras: Array.from({ length: 300_000 }, () => 0) };
    expect(() => readTaskPack(encode(form))).toThrow("elements");
  });

  test("with too many references of one task, the blob of its input included", () => {
    const blobs = Array.from({ length: limits.refsPerTask }, (_, i) => ({
      sha256: i.toString(16).padStart(64, "0"),
      size: 1,
    }));
    const form = { first: 0, sizes: [1], bytes: Uint8Array.of(7) };
    expect(readTaskPack(encode({ ...form, extras: [{ at: 0, refs: blobs }] }))[0]?.refs).toHaveLength(
      limits.refsPerTask,
    );
    const empty = { first: 0, sizes: [0], bytes: new Uint8Array() };
    expect(() => readTaskPack(encode({ ...empty, extras: [{ at: 0, refs: blobs, input: a }] }))).toThrow(
      expect.objectContaining({ code: "TOO_LARGE" }),
    );
  });
});
