import { describe, expect, it } from "vitest";
import type { BlobName } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { checkValue, decodeInput, decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { GroupInput } from "../../shared/wire/group-input.ts";
import type { Payload } from "../../shared/wire/task.ts";

const blobs = new Map<string, Uint8Array>();

/** Puts an encoded output into a blob. */
function held(bytes: Uint8Array): BlobName {
  const sha256 = sha256Hex(bytes);
  blobs.set(sha256, bytes);
  return { sha256, size: bytes.length };
}

function groupOf(outputs: readonly Payload[]): Uint8Array {
  const input = new GroupInput(outputs.length);
  for (const output of outputs) input.add(output);
  expect(input.bytes()).toHaveLength(input.size);
  return input.bytes();
}

const fetch = async ({ sha256, size }: BlobName): Promise<Uint8Array> => {
  const bytes = blobs.get(sha256);
  expect(bytes).toHaveLength(size);
  return bytes!;
};
const never = (): Promise<Uint8Array> => {
  throw new Error("nothing is in a blob");
};
const nested = (depth: number): Value => (depth === 0 ? 1 : [nested(depth - 1)]);
const refused = expect.objectContaining({ code: "BAD_REQUEST" }) as Error;

describe("[FEED-6] inputs that are groups of outputs", () => {
  it.each([1, 15, 16, 255, 256, 1024, 65_535])("of %i outputs are their array, read at once", (count) => {
    const values = Array.from({ length: count }, (_, i) => i);
    const bytes = groupOf(values.map((value) => encodeValue(value)));
    expect(decodeInput(bytes, never)).toEqual(values);
  });

  it("of more outputs than their head can count are refused", () => {
    expect(() => new GroupInput(65_536)).toThrow(RangeError);
  });

  it("have the values of blobs in their places", async () => {
    const large = Float64Array.from({ length: 50_000 }, (_, i) => i);
    const outputs = [held(encodeValue(large)), encodeValue("between"), held(encodeValue({ a: [null] }))];
    expect(await decodeInput(groupOf(outputs), fetch)).toEqual([large, "between", { a: [null] }]);
  });

  it("take outputs of the greatest depth, which is one level less than theirs", async () => {
    const deep = encodeValue(nested(200));
    expect(await decodeInput(groupOf([deep, held(deep)]), fetch)).toEqual([nested(200), nested(200)]);
    // An output of 201 levels is none.
    const tooDeep = Uint8Array.of(0x91, ...deep);
    expect(() => decodeInput(groupOf([tooDeep]), never)).toThrow(refused);
    await expect(decodeInput(groupOf([held(tooDeep)]), fetch)).rejects.toThrow(refused);
  });

  it("are refused whose blob is no value, or a group itself", async () => {
    const inner = groupOf([held(encodeValue(1))]);
    for (const bytes of [Uint8Array.of(0xc1), new Uint8Array(), inner])
      await expect(decodeInput(groupOf([held(bytes)]), fetch)).rejects.toThrow(refused);
  });

  it("are no values: a customer or kernel cannot name the blob of another", () => {
    const group = groupOf([held(encodeValue(1))]);
    for (const bytes of [group, group.subarray(3)])
      for (const read of [checkValue, decodeValue]) expect(() => read(bytes)).toThrow(refused);
  });

  it("leave every other input as it is", () => {
    for (const value of [1, "text", { a: [1] }, new Uint8Array(3), [undefined, nested(199)]])
      expect(decodeInput(encodeValue(value), never)).toEqual(value);
    expect(() => decodeInput(Uint8Array.of(0x92, 1), never)).toThrow(refused);
  });
});
