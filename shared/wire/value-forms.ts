import { isDataReferenceShape, type DataReferenceShape } from "../data-reference.ts";

/** MessagePack extensions of values. The numbers are part of the wire format and of stored values. */
export const extensions = {
  /** A data reference: `[sha256, size]` or `[sha256, size, start, end]`. */
  reference: 1,
  /** A typed array: the position of its kind in {@link numericKinds}, then its bytes, lowest first. */
  numericArray: 2,
  /** Values that only JavaScript has: so far `undefined`, a byte 0. */
  language: 3,
  /** Text with half a surrogate pair, which UTF-8 cannot hold: its UTF-16 units, lowest byte first. */
  brokenText: 4,
  /** Only in an input that consists of outputs: the value that a blob holds, named as by a reference. */
  held: 5,
} as const;

/** Kinds of typed arrays besides `Uint8Array`. Their order is part of the wire format: append, never reorder. */
export const numericKinds = [
  "Int8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
] as const;
export type NumericKind = (typeof numericKinds)[number];

const elementBytes = [1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 2] as const;

const constructors = globalThis as unknown as Record<
  NumericKind,
  (new (buffer: ArrayBuffer) => ArrayBufferView) | undefined
>;
// A kernel shares this realm and may replace globals: these references are taken before any kernel runs.
const makers = numericKinds.map((kind) => constructors[kind]);

/** A typed array over `buffer`. @throws Error where the platform has no such arrays, or the bytes do not fit the kind */
export function makeNumericArray(place: number, buffer: ArrayBuffer): ArrayBufferView {
  const maker = makers[place];
  if (maker) return new maker(buffer);
  throw new Error(`${numericKinds[place] ?? "such a typed array"} does not exist in this browser or runtime`);
}

/** Whether the typed array at this place of {@link numericKinds} can have this many bytes. */
export function isNumericLength(place: number, length: number): boolean {
  const size = elementBytes[place];
  return size !== undefined && length % size === 0;
}

/** Whether a value may have an extension of this type with these bytes. */
export function isValueExtension(type: number, bytes: Uint8Array, from: number, to: number): boolean {
  if (type === extensions.numericArray) {
    return to > from && isNumericLength(bytes[from]!, to - from - 1);
  }
  if (type === extensions.reference) return readReference(bytes, from, to) !== undefined;
  if (type === extensions.language) return to === from + 1 && bytes[from] === 0;
  return type === extensions.brokenText && (to - from) % 2 === 0;
}

/** Whether an input that may be an array of outputs may have an extension of this type with these bytes. */
export function isInputExtension(type: number, bytes: Uint8Array, from: number, to: number): boolean {
  return isValueExtension(type === extensions.held ? extensions.reference : type, bytes, from, to);
}

const hashChars = 64;
/** The head of an array of two or four elements, and the head of its text of 64 bytes. */
const headBytes = 3;

/** The data reference of an extension's bytes; undefined when they are no data reference. */
export function readReference(bytes: Uint8Array, from: number, to: number): DataReferenceShape | undefined {
  const count = bytes[from]! & 0x0f;
  if (bytes[from] !== (0x90 | count) || (count !== 2 && count !== 4)) return undefined;
  if (bytes[from + 1] !== 0xd9 || bytes[from + 2] !== hashChars) return undefined;
  let at = from + headBytes;
  if (at + hashChars > to) return undefined;
  const sha256 = String.fromCharCode(...bytes.subarray(at, at + hashChars));
  at += hashChars;
  const numbers: number[] = [];
  while (numbers.length < count - 1) {
    const width = widthOfNumber(bytes[at]);
    if (width === undefined || at + 1 + width > to) return undefined;
    let value = width === 0 ? bytes[at]! : 0;
    for (let i = 1; i <= width; i++) value = value * 256 + bytes[at + i]!;
    numbers.push(value);
    at += 1 + width;
  }
  const [size, ...range] = numbers;
  const shape = range.length > 0 ? { sha256, size, range } : { sha256, size };
  return at === to && isDataReferenceShape(shape) ? shape : undefined;
}

/** Width of a non-negative whole number after its tag; undefined for the tag of another type. */
function widthOfNumber(tag: number | undefined): number | undefined {
  if (tag === undefined || (tag >= 0x80 && (tag < 0xcc || tag > 0xcf))) return undefined;
  return tag < 0x80 ? 0 : 2 ** (tag - 0xcc);
}
