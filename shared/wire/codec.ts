import type { BlobName, DataReference } from "../data-reference.ts";
import { messageOf, PlatformError } from "../errors.ts";
import { checkEncodedValue, decode, decodeWithHeld, HeldValue } from "./value-decoder.ts";
import { Unfit, ValueEncoder, type Encoded } from "./value-encoder.ts";

/** `Float16Array`, where the program's TypeScript knows it (ES2025). */
type Halves = typeof globalThis extends { Float16Array: { prototype: infer Halves } } ? Halves : never;

/** A typed array other than `Uint8Array` (which travels as MessagePack `bin`). */
export type NumericArray =
  | Int8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Halves
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * An input or output: JSON, `undefined`, `Uint8Array`, typed arrays and data references. A decoded value equals the encoded
 * value; a value that cannot be kept exactly is refused by name (docs/values.md has the whole table).
 */
export type Value =
  | null
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | NumericArray
  | DataReference
  | readonly Value[]
  | { readonly [key: string]: Value };

const encoder = new ValueEncoder();
const outputEncoder = new ValueEncoder({ oneNaN: true });

/**
 * Encodes a value as MessagePack bytes.
 * @throws PlatformError UNSERIALISABLE naming the offending part
 */
export function encodeValue(value: Value): Uint8Array {
  return encodeWithReferences(value).bytes;
}

/**
 * Encodes a value and tells which blobs it refers to, in order of appearance and without repeats.
 * @throws PlatformError UNSERIALISABLE naming the offending part
 */
export function encodeWithReferences(value: Value): Encoded {
  const { bytes, refs } = encodeShared(value);
  return { bytes: new Uint8Array(bytes), refs };
}

/**
 * As {@link encodeWithReferences}, without a buffer of its own: the bytes are good until the next value is encoded, more than {@link keptBytes}
 * for ever. For many small values that are copied into a pack: a buffer for each costs more than its encoding.
 *
 * @param options - `oneNaN`: every NaN has the same bits, those of its engine notwithstanding (SPEC.md [BITS-2])
 */
export function encodeShared(
  value: Value,
  { oneNaN = false } = {},
): { bytes: Uint8Array; refs: readonly BlobName[] } {
  try {
    return (oneNaN ? outputEncoder : encoder).encode(value);
  } catch (error) {
    const place = error instanceof Unfit && error.place !== "" ? ` (at ${clipped(error.place)})` : "";
    const reason = messageOf(error);
    throw new PlatformError(
      "UNSERIALISABLE",
      `The value cannot be sent: ${reason}${place}. Expected JSON values, Uint8Array, typed arrays or data references.`,
      error,
    );
  }
}

/** A value that contains itself is refused at the depth limit, and the place in it is a long text. */
function clipped(place: string): string {
  return place.length > 120 ? `${place.slice(0, 120)}…` : place;
}

/**
 * Decodes bytes of {@link encodeValue}. Every array in the value has a buffer of its own, exactly its bytes.
 * @throws PlatformError BAD_REQUEST when the bytes are not one encoded value
 */
export function decodeValue(bytes: Uint8Array): Value {
  try {
    return decode(bytes) as Value;
  } catch (error) {
    throw unreadable(error);
  }
}

/**
 * Decodes the input of a task. An array of outputs may have outputs in blobs, which `fetch` gets; without such the value is returned at once.
 * @throws PlatformError BAD_REQUEST when the bytes, or those of a blob, are not one encoded value
 */
export function decodeInput(
  bytes: Uint8Array,
  fetch: (blob: BlobName) => Promise<Uint8Array>,
): Value | Promise<Value> {
  let input: unknown;
  try {
    input = decodeWithHeld(bytes);
  } catch (error) {
    throw unreadable(error);
  }
  if (!Array.isArray(input)) return input as Value;
  const items: unknown[] = input;
  const held: { blob: BlobName; at: number }[] = [];
  for (let at = 0; at < items.length; at++) {
    const item = items[at];
    if (item instanceof HeldValue) held.push({ blob: item.blob, at });
  }
  if (held.length === 0) return input as Value;
  const load = held.map(async ({ blob, at }) => {
    items[at] = decodeValue(await fetch(blob));
  });
  return Promise.all(load).then(() => items as Value);
}

/**
 * Checks that {@link decodeValue} reads these bytes, without decoding them.
 * @throws PlatformError BAD_REQUEST when the bytes are not one encoded value
 */
export function checkValue(bytes: Uint8Array): void {
  try {
    checkEncodedValue(bytes);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): PlatformError {
  const reason = messageOf(error);
  return new PlatformError("BAD_REQUEST", `The bytes are not one MessagePack value: ${reason}.`, error);
}
