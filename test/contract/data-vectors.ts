import { encodeValue } from "../../shared/wire/codec.ts";
import { GroupInput } from "../../shared/wire/group-input.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { KernelVector } from "./kernel-vectors.ts";

/** Numbers whose bytes differ from those around them in a message or a buffer pool. */
const floats = Float32Array.from({ length: 999 }, (_, i) => i + 0.5);
const floatBytes = new Uint8Array(floats.buffer);
const floatReference = new DataReference(sha256Hex(floatBytes), floatBytes.length);
const sum = (numbers: Float32Array): number => numbers.reduce((total, number) => total + number, 0);
const isOwn = `const isOwn = (bytes, type = Uint8Array) => Object.getPrototypeOf(bytes) === type.prototype && bytes.byteOffset === 0 &&
  bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;`;

const heldBytes = encodeValue({ pixels: floats });
const held = { sha256: sha256Hex(heldBytes), size: heldBytes.length };
const group = new GroupInput(4);
for (const output of [encodeValue("inline"), held, encodeValue(floatReference), held]) group.add(output);

/** Kernels that look at the memory around their data. These read blobs, from any of the client's sources. */
export const dataVectors: readonly KernelVector[] = [
  {
    name: "[VALUE-2] ctx.data gives a Uint8Array of its own at every call, its buffer exactly its bytes",
    source: `${isOwn}
    const sum = (buffer) => new Float32Array(buffer).reduce((total, number) => total + number, 0);
    export default async (ref, ctx) => {
      const found = [];
      for (const part of [ref, ref.slice(4, 404), ref]) {
        const bytes = await ctx.data(part);
        found.push([isOwn(bytes), sum(bytes.buffer), sum(bytes.slice().buffer)]);
        new Uint8Array(bytes.buffer).fill(0);
      }
      return found;
    };`,
    input: floatReference,
    blobs: [floatBytes],
    expect: {
      state: "done",
      output: [
        [true, sum(floats), sum(floats)],
        [true, sum(floats.subarray(1, 101)), sum(floats.subarray(1, 101))],
        [true, sum(floats), sum(floats)],
      ],
    },
  },
  {
    name: "[FEED-6] outputs in blobs are values of the input, each with memory of its own; data references stay references",
    source: `${isOwn}
    export default async (outputs, ctx) => {
      const [text, first, reference, second] = outputs;
      const found = [Array.isArray(outputs), text, isOwn(first.pixels, Float32Array), (await ctx.data(reference)).length];
      first.pixels.fill(0);
      return [...found, second.pixels];
    };`,
    input: null,
    inputBytes: group.bytes(),
    blobs: [floatBytes, heldBytes],
    expect: { state: "done", output: [true, "inline", true, floatBytes.length, floats] },
  },
  {
    name: "[FEED-6] an output whose blob is nowhere fails the task, and the kernel is not called",
    source: 'export default () => "called";',
    input: null,
    inputBytes: group.bytes(),
    blobs: [floatBytes],
    expect: { state: "failed", kind: "data", message: /could not be had/ },
  },
  {
    name: "[VALUE-2] the recipe of the README",
    source: `export default async ({ image }, ctx) => {
      const pixels = new Float32Array((await ctx.data(image)).buffer);
      return pixels.map((pixel) => pixel * 2);
    };`,
    input: { image: floatReference },
    blobs: [floatBytes],
    expect: { state: "done", output: floats.map((pixel) => pixel * 2) },
  },
];
