import type { Value } from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { FailureKind, VerifyingCall } from "../../shared/wire/protocol.ts";
import { seededRandom } from "../../shared/random.ts";

/**
 * Kernels with their expected outcome. The process sandbox and the browser's run the same vectors, each as a task in a fresh
 * sandbox.
 */
export interface KernelVector {
  readonly name: string;
  /** The ES module. */
  readonly source: string;
  readonly input: Value;
  /** The input as bytes, in place of `input`. */
  readonly inputBytes?: Uint8Array;
  /** Resume state the task starts with. */
  readonly resume?: Value;
  /** The same as bytes, which may be invalid. */
  readonly resumeBytes?: Uint8Array;
  /** Calls a verifying function instead of the kernel, with this value as the second argument. */
  readonly call?: { readonly name: VerifyingCall["name"]; readonly value: Value };
  /** Blobs of the host. */
  readonly blobs?: readonly Uint8Array[];
  readonly memoryMb?: number;
  readonly expect: Expectation;
}

type Expectation = (
  | { readonly state: "done"; readonly output: Value }
  | {
      readonly state: "failed";
      readonly kind: FailureKind;
      readonly message: RegExp;
      readonly stack?: RegExp;
    }
  /** `load` rejects. */
  | { readonly state: "unloadable"; readonly message: RegExp }
  /** The kernel still computes after a while; `terminate` must end it. */
  | { readonly state: "hangs" }
  /** Any outcome, as long as the sandbox can be ended and the client goes on. */
  | { readonly state: "survives" }
  /** The sandbox ends by itself. */
  | { readonly state: "ended"; readonly kind: "memory" | "crash" }
) & {
  readonly progress?: number;
  readonly checkpoint?: Value;
  readonly log?: readonly string[];
};

const abc = new TextEncoder().encode("abc");
const abcReference = new DataReference(sha256Hex(abc), abc.length);

/** `(func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)` */
const addWasm =
  "[0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11]";

/** Seed of every vector. */
export const vectorSeed = "seed";
const stream = seededRandom(`${vectorSeed}/0`);
const firstRandoms = [stream(), stream()];

/** Node 22 has no such arrays. */
const halves = "Float16Array" in globalThis ? new Float16Array([0.5]) : new Float32Array([0.5]);

export const kernelVectors: readonly KernelVector[] = [
  {
    name: "synchronous",
    source: "export default (x) => x * x;",
    input: 12,
    expect: { state: "done", output: 144 },
  },
  {
    name: "asynchronous, with a timer",
    source:
      "export default async (x) => { await new Promise((resolve) => setTimeout(resolve, 5)); return [x]; };",
    input: "a",
    expect: { state: "done", output: ["a"] },
  },
  {
    name: "returns a thenable that is no promise",
    source: "export default (x) => ({ then: (resolve) => resolve(x + 1) });",
    input: 1,
    expect: { state: "done", output: 2 },
  },
  {
    name: "typed arrays and bytes there and back",
    source:
      "export default ({ bytes, floats }) => ({ bytes: bytes.map((b) => b + 1), floats: floats.map((f) => f * 2) });",
    input: { bytes: new Uint8Array([1, 2, 3]), floats: new Float32Array([0.5, 1.5]) },
    expect: {
      state: "done",
      output: { bytes: new Uint8Array([2, 3, 4]), floats: new Float32Array([1, 3]) },
    },
  },
  {
    name: "WebAssembly inside",
    source: `export default async (x) => {
      const { instance } = await WebAssembly.instantiate(new Uint8Array(${addWasm}));
      return instance.exports.add(x, 2);
    };`,
    input: 40,
    expect: { state: "done", output: 42 },
  },
  {
    name: "throws an error with a stack",
    source:
      'function inner() { throw new TypeError("no such particle"); }\nexport default function outer() { inner(); }',
    input: null,
    expect: { state: "failed", kind: "error", message: /no such particle/, stack: /inner[\s\S]*outer/ },
  },
  {
    name: "rejects",
    source: 'export default async () => { await null; throw new Error("later"); };',
    input: null,
    expect: { state: "failed", kind: "error", message: /later/ },
  },
  {
    name: "throws what is no error",
    source: "export default () => { throw { half: true }; };",
    input: null,
    expect: { state: "failed", kind: "error", message: /half/ },
  },
  {
    name: "throws an error whose properties throw",
    source: `export default () => {
      const error = new Error("x");
      for (const key of ["message", "stack", "name"]) Object.defineProperty(error, key, { get() { throw new Error(key); } });
      throw error;
    };`,
    input: null,
    expect: { state: "failed", kind: "error", message: /./ },
  },
  {
    name: "returns a function",
    source: "export default () => () => 1;",
    input: null,
    expect: { state: "failed", kind: "unserialisable", message: /cannot be sent/ },
  },
  {
    name: "returns a cycle",
    source: "export default () => { const a = []; a.push(a); return a; };",
    input: null,
    expect: { state: "failed", kind: "unserialisable", message: /cannot be sent/ },
  },
  {
    name: "has no default export",
    source: "export const kernel = () => 1;",
    input: null,
    expect: { state: "unloadable", message: /default/ },
  },
  {
    name: "has a default export that is no function",
    source: "export default 7;",
    input: null,
    expect: { state: "unloadable", message: /number/ },
  },
  {
    name: "is no JavaScript",
    source: "export default (x => ;",
    input: null,
    expect: { state: "unloadable", message: /./ },
  },
  {
    name: "throws while it loads",
    source: 'export default () => 1; throw new Error("at the top level");',
    input: null,
    expect: { state: "unloadable", message: /at the top level/ },
  },
  {
    name: "hangs in an endless loop",
    source: "export default () => { for (;;); };",
    input: null,
    expect: { state: "hangs" },
  },
  {
    name: "waits for ever",
    source: "export default () => new Promise(() => {});",
    input: null,
    expect: { state: "hangs" },
  },
  {
    name: "leaves a rejected promise behind",
    source: 'export default async () => { Promise.reject(new Error("nobody looks")); return 1; };',
    input: null,
    expect: { state: "done", output: 1 },
  },
  {
    name: "ctx.data reads a blob and a slice of it",
    source: `export default async (ref, ctx) => {
      const text = async (part) => new TextDecoder().decode(await ctx.data(part));
      return [await text(ref), await text(ref.slice(1, 2)), ref.size];
    };`,
    input: abcReference,
    blobs: [abc],
    expect: { state: "done", output: ["abc", "b", 3] },
  },
  {
    name: "ctx.data of a blob that is nowhere",
    source: "export default (ref, ctx) => ctx.data(ref);",
    input: abcReference,
    expect: { state: "failed", kind: "data", message: /could not be had/ },
  },
  {
    name: "ctx.put gives a reference that can go into the output",
    source: 'export default async (_, ctx) => ({ ref: await ctx.put(new TextEncoder().encode("abc")) });',
    input: null,
    expect: { state: "done", output: { ref: abcReference } },
  },
  {
    name: "ctx.progress, ctx.checkpoint and ctx.log",
    source: `export default (_, ctx) => {
      ctx.log("the first of", 2, "lines");
      console.log("the second");
      ctx.progress(0.25);
      ctx.checkpoint({ step: 7 });
      return ctx.resume === undefined || ctx.resume === null;
    };`,
    input: null,
    expect: {
      state: "done",
      output: true,
      progress: 0.25,
      checkpoint: { step: 7 },
      log: ["the first of 2 lines", "the second"],
    },
  },
  {
    name: "ctx.resume",
    source: "export default (_, ctx) => ctx.resume.step + 1;",
    input: null,
    resume: { step: 7 },
    expect: { state: "done", output: 8 },
  },
  {
    name: "ctx.random is the same stream everywhere",
    source: "export default (_, ctx) => [ctx.random(), ctx.random(), ctx.index, ctx.attempt];",
    input: null,
    expect: { state: "done", output: [...firstRandoms, 0, 1] },
  },
  {
    name: "ctx.signal is there and not aborted",
    source: "export default (_, ctx) => ctx.signal.aborted;",
    input: null,
    expect: { state: "done", output: false },
  },
  {
    name: "what kernels may expect to find",
    source: `export default async () => {
      const names = ["TextEncoder", "TextDecoder", "URL", "atob", "btoa", "structuredClone", "setTimeout", "clearTimeout",
        "setInterval", "queueMicrotask", "AbortController", "EventTarget", "WebAssembly", "Intl", "performance", "crypto", "self"];
      const missing = names.filter((name) => typeof globalThis[name] === "undefined");
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      const copy = structuredClone({ map: new Map([[1, new Date(5)]]), floats: new Float32Array([1.5]) });
      const id = setInterval(() => undefined, 1000);
      clearInterval(id);
      return {
        missing,
        random: bytes.some((byte) => byte > 0),
        cloned: copy.map.get(1).getTime() + copy.floats[0],
        now: performance.now() > 0,
        made: new Function("a", "return a + 1")(1),
      };
    };`,
    input: null,
    expect: {
      state: "done",
      output: { missing: [], random: true, cloned: 6.5, now: true, made: 2 },
    },
  },
  {
    name: "[VALUE-2] arrays in an input and in ctx.resume have memory of their own, and no class but the language's",
    source: `const isOwn = (bytes, type = Uint8Array) => Object.getPrototypeOf(bytes) === type.prototype &&
      bytes.byteOffset === 0 && bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
    export default ({ bytes, list, floats }, ctx) =>
      [isOwn(bytes), isOwn(list[0]), isOwn(floats, Float32Array), isOwn(ctx.resume.state), ctx.resume.state, typeof Buffer];`,
    input: { bytes: new Uint8Array([1, 2, 3]), list: [new Uint8Array(0)], floats: new Float32Array([1]) },
    resume: { state: new Uint8Array([4, 5]) },
    expect: { state: "done", output: [true, true, true, true, new Uint8Array([4, 5]), "undefined"] },
  },
  {
    name: "[KERNEL-7] the classes of buffers are themselves, although a browser counts what they make",
    source: `export default () => {
      class Pixels extends Float32Array {}
      const pixels = new Pixels(4);
      const floats = Float64Array.from([1, 2]);
      return [pixels.constructor === Pixels, pixels instanceof Float32Array, floats.constructor === Float64Array,
        floats.map((x) => x + 1).constructor === Float64Array, Object.getPrototypeOf(floats) === Float64Array.prototype,
        new ArrayBuffer(8) instanceof ArrayBuffer, new Uint8Array(new ArrayBuffer(8), 4).length, Float32Array.name,
        Float32Array.BYTES_PER_ELEMENT, new Uint8Array(2 ** 21).subarray(2 ** 20).length, ArrayBuffer.isView(pixels)];
    };`,
    input: null,
    expect: {
      state: "done",
      output: [true, true, true, true, true, true, 4, "Float32Array", 4, 2 ** 20, true],
    },
  },
  {
    name: "[VALUE-2] structuredClone gives arrays with memory of their own",
    source: `export default () => {
      const copy = structuredClone({ bytes: new Uint8Array([1, 2, 3]), part: new Float32Array([1, 2, 3]).subarray(1) });
      return [copy.bytes.buffer.byteLength, copy.bytes, copy.part, Object.getPrototypeOf(copy.bytes) === Uint8Array.prototype];
    };`,
    input: null,
    expect: { state: "done", output: [3, new Uint8Array([1, 2, 3]), new Float32Array([2, 3]), true] },
  },
  {
    name: "[VALUE-1] values that JSON does not have, there and back",
    source: `export default (input) => {
      const own = Object.getPrototypeOf(input.proto) === Object.prototype && Object.hasOwn(input.proto, "__proto__");
      return { ...input, seen: [own, Object.is(input.zero, -0), "gone" in input, input.list[1] === undefined] };
    };`,
    input: {
      proto: JSON.parse('{"__proto__":{"polluted":1}}') as Value,
      zero: -0,
      gone: undefined,
      list: [1, undefined, NaN],
      half: "\uD83D",
      floats: halves,
    },
    expect: {
      state: "done",
      output: {
        proto: JSON.parse('{"__proto__":{"polluted":1}}') as Value,
        zero: -0,
        gone: undefined,
        list: [1, undefined, NaN],
        half: "\uD83D",
        floats: halves,
        seen: [true, true, true, true],
      },
    },
  },
  {
    name: "[VALUE-1] returns what is no value: it is named with its place",
    source: "export default () => ({ rows: [{ when: new Date(0) }] });",
    input: null,
    expect: { state: "failed", kind: "unserialisable", message: /Date.*\(at \.rows\[0\]\.when\)/ },
  },
  {
    name: "[VALUE-3] a checkpoint that cannot be read is as none",
    source: "export default (_, ctx) => ctx.resume === undefined;",
    input: null,
    resumeBytes: Uint8Array.of(0xc1),
    expect: { state: "done", output: true },
  },
  {
    name: "compresses and decompresses",
    source: `export default async (text) => {
      const through = async (bytes, stream) => {
        const writer = stream.writable.getWriter();
        writer.write(bytes);
        writer.close();
        const parts = [];
        for (const reader = stream.readable.getReader(); ; ) {
          const { done, value } = await reader.read();
          if (done) break;
          parts.push(...value);
        }
        return new Uint8Array(parts);
      };
      const packed = await through(new TextEncoder().encode(text), new CompressionStream("gzip"));
      return new TextDecoder().decode(await through(packed, new DecompressionStream("gzip")));
    };`,
    input: "many hands",
    expect: { state: "done", output: "many hands" },
  },
];
