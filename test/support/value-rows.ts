import { isDeepStrictEqual } from "node:util";
import type { Value } from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";

/**
 * The table of docs/values.md, row by row: kept values (with the received value where it differs) and refused values. Every
 * path of a value is tested with the whole table.
 */
const reference = new DataReference(sha256Hex(new Uint8Array([1])), 100, [10, 20]);
const withProto = (value: unknown): Value =>
  JSON.parse(`{"__proto__":${JSON.stringify(value)},"b":1}`) as Value;
const shared = new Uint8Array(new SharedArrayBuffer(3));
shared.set([1, 2, 3]);

export const valueRows: [name: string, value: Value, comesAs?: Value][] = [
  ["null", null],
  ["undefined", undefined],
  ["undefined in an array", [1, undefined, 2]],
  ["a property that is undefined", { a: undefined, b: 1 }],
  ["true and false", [true, false]],
  [
    "integers",
    [0, -1, 127, 128, 255, 256, -32, -33, -128, -129, 65_535, 65_536, 2 ** 31, 2 ** 32, -(2 ** 31) - 1],
  ],
  ["integers up to 2^53", [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
  ["large numbers", [2 ** 53, 2 ** 60, 1e300, Number.MAX_VALUE]],
  ["fractions", [0.1, -1.5, Math.PI, 5e-324]],
  ["NaN and infinities", [NaN, Infinity, -Infinity]],
  ["minus zero", [-0, { zero: -0 }]],
  ["text", "grüße \u{1f44b} and a mark \uFEFF"],
  ["empty text", ""],
  ["long text", `\uFEFF${"long text ü ".repeat(600)}`],
  ["text with half a surrogate pair", ["\uD83D", "a\uDC4Bb", "\uD83D".repeat(300)]],
  ["the sign for what is unreadable", "\uFFFD".repeat(300)],
  ["nesting", { a: [{ b: { c: [true, false, null] } }], "": [] }],
  ["an empty key", { "": 1 }],
  ["a key __proto__", withProto(5)],
  ["a key __proto__ with an object", withProto({ polluted: true })],
  ["keys of the language", { constructor: 1, toString: "x", hasOwnProperty: null, length: 3 }],
  ["keys with a dollar", { $ref: 1, $$x: 2, $: 3, $bytes: "AQ==" }],
  ["a thing that looks like bytes in JSON", { $bytes: "AQ==" }],
  ["a thing that looks like a typed array in JSON", { $array: "Float32Array", base64: "AAAAAA==" }],
  ["an object without a prototype", Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ["bytes", new Uint8Array([0, 1, 255])],
  ["no bytes", new Uint8Array(0)],
  ["many bytes", new Uint8Array(70_000).fill(7)],
  ["a part of bytes", new Uint8Array([1, 2, 3, 4]).subarray(1, 3), new Uint8Array([2, 3])],
  ["a Buffer of Node", Buffer.from("abc"), new Uint8Array([97, 98, 99])],
  ["bytes in shared memory", shared, new Uint8Array([1, 2, 3])],
  [
    "typed arrays",
    [
      new Int8Array([-1]),
      new Uint8ClampedArray([255]),
      new Int16Array([-3, 4]),
      new Uint16Array([65_535]),
      new Int32Array([-5]),
      new Uint32Array([5]),
      ...("Float16Array" in globalThis ? [new Float16Array([0.5, -2])] : []),
      new Float32Array([1.5, -2, NaN, -0]),
      new Float64Array([Math.PI]),
      new BigInt64Array([-5n]),
      new BigUint64Array([2n ** 63n]),
    ],
  ],
  ["an empty typed array", new Float32Array(0)],
  ["many numbers in a typed array", new Float64Array(2000).map((_, i) => i / 3)],
  ["a part of a typed array", new Float64Array([1, 2, 3]).subarray(1), new Float64Array([2, 3])],
  ["data references", { image: reference, whole: new DataReference(reference.sha256, 100) }],
  ["many members", Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`member ${i}`, i]))],
];

class Thing {
  readonly x = 1;
}

export const refusedValues: [name: string, make: () => unknown, message: RegExp][] = [
  ["a function", () => () => 1, /a function is not a value/],
  ["an own toJSON", () => ({ toJSON: () => 1 }), /a function is not a value.*\.toJSON/],
  ["a symbol", () => Symbol("x"), /a symbol is not a value/],
  ["a key that is a symbol", () => ({ [Symbol("tag")]: 1 }), /Symbol\(tag\)/],
  ["a BigInt", () => 5n, /the BigInt 5n/],
  ["a class instance", () => new Thing(), /an instance of Thing/],
  ["a Date", () => new Date(0), /an instance of Date.*getTime/],
  ["a Map", () => new Map(), /an instance of Map/],
  ["a Set", () => new Set(), /an instance of Set/],
  ["a RegExp", () => /x/, /an instance of RegExp/],
  ["an Error", () => new TypeError("x"), /an instance of TypeError.*throw it/],
  ["a promise", () => Promise.resolve(1), /an instance of Promise.*await it/],
  ["a number in a box", () => Object(1) as unknown, /an instance of Number/],
  ["a string in a box", () => Object("x") as unknown, /an instance of String/],
  ["an ArrayBuffer", () => new ArrayBuffer(2), /an instance of ArrayBuffer.*new Uint8Array/],
  ["a SharedArrayBuffer", () => new SharedArrayBuffer(2), /an instance of SharedArrayBuffer/],
  ["a DataView", () => new DataView(new ArrayBuffer(2)), /an instance of DataView/],
  ["a hole of an array", () => [1, , 2], /a hole of an array/], // oxlint-disable-line no-sparse-arrays
  ["an endless array of holes", () => Object.assign([], { length: 2 ** 32 - 1 }), /a hole of an array/],
  ["an array with properties", () => "abc".match(/b/), /the property "groups"|the property "input"/],
  ["a subclass of Array", () => new (class Rows extends Array {})(), /an instance of Rows/],
  ["a key with half a surrogate pair", () => ({ "\uD83D": 1 }), /half a surrogate pair/],
  [
    "bytes whose buffer was transferred",
    () => {
      const bytes = new Uint8Array(2);
      structuredClone(bytes, { transfer: [bytes.buffer] });
      return bytes;
    },
    /transferred/,
  ],
  ["a reference that names no blob", () => new DataReference("nonsense" as never, -1), /names no blob/],
  [
    "a getter that throws",
    () => ({
      get a() {
        throw new Error("no such property today");
      },
    }),
    /reading it threw no such property today.*\.a/,
  ],
];

/**
 * Whether values are equal for a user: kinds of arrays, -0, undefined properties and holes count, and no array is Node's
 * Buffer.
 */
export function sameValue(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b) && !Buffer.isBuffer(a);
}
