import { describe, expect, test } from "vitest";
import {
  decodeValue,
  encodeValue,
  encodeWithReferences,
  valueFromJson,
  valueToJson,
  type Value,
} from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";

const reference = new DataReference(sha256Hex(new Uint8Array([1])), 100, [10, 20]);
const values: [string, Value][] = [
  ["null", null],
  ["numbers", [0, -1, 1.5, 2 ** 52, Number.NaN, -Infinity, 1e300]],
  ["text", "grüße \u{1f44b}"],
  ["nesting", { a: [{ b: { c: [true, false, null] } }] }],
  ["keys with a dollar", { $ref: 1, $$x: 2 }],
  ["bytes", new Uint8Array([0, 1, 255])],
  [
    "typed arrays",
    [new Float32Array([1.5, -2]), new Float64Array([Math.PI]), new Int16Array([-3]), new BigInt64Array([5n])],
  ],
  ["an empty typed array", new Float32Array(0)],
  ["a data reference", { image: reference }],
];

describe("values", () => {
  test.each(values)("%s come back as they were: MessagePack, and JSON", (_name, value) => {
    expect(decodeValue(encodeValue(value))).toEqual(value);
    expect(valueFromJson(JSON.parse(JSON.stringify(valueToJson(value))))).toEqual(value);
  });

  test("bytes that arrive in a Buffer, at any offset, decode to plain arrays", () => {
    const encoded = encodeValue({ a: new Float32Array([1, 2, 3]), b: new Uint8Array([9]) });
    for (let offset = 0; offset < 5; offset++) {
      const value = decodeValue(Buffer.concat([Buffer.alloc(offset), encoded]).subarray(offset)) as Record<
        string,
        Value
      >;
      expect(value["a"]).toEqual(new Float32Array([1, 2, 3]));
      expect((value["b"] as Uint8Array).constructor).toBe(Uint8Array);
    }
  });

  test("references in a value are named once each, in order", () => {
    const other = new DataReference(sha256Hex(new Uint8Array([2])), 7);
    const { refs } = encodeWithReferences([reference, { x: other }, reference.slice(0, 5)]);
    expect(refs).toEqual([
      { sha256: reference.sha256, size: 100 },
      { sha256: other.sha256, size: 7 },
    ]);
  });

  const unfit: [string, unknown][] = [
    ["a function", () => 1],
    [
      "a class instance",
      new (class Thing {
        readonly x = 1;
      })(),
    ],
    ["a Map", new Map()],
    ["a Date", new Date(0)],
    ["a symbol", Symbol("x")],
  ];
  test.each(unfit)("%s is refused and named", (_name, value) => {
    expect(() => encodeValue({ value } as Value)).toThrow(
      expect.objectContaining({ code: "UNSERIALISABLE" }),
    );
  });

  test("a cycle is refused", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(() => encodeValue(cycle as Value)).toThrow(expect.objectContaining({ code: "UNSERIALISABLE" }));
  });

  test.each([
    { $ref: { sha256: "x", size: 1 } },
    { $array: "Nonsense", base64: "" },
    { $number: "7" },
    { $what: 1 },
  ])("malformed JSON form %j is refused", (json) => {
    expect(() => valueFromJson(json)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });
});

describe("data references", () => {
  test("a slice of a slice counts from its own start", () => {
    expect(reference.slice(2, 5).range).toEqual([12, 15]);
    expect(reference.slice(2).length).toBe(8);
    expect(() => reference.slice(5, 11)).toThrow(RangeError);
  });
});
