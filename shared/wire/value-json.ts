import * as v from "valibot";
import { fromBase64, toBase64 } from "../base64.ts";
import type { NumericArray, Value } from "./codec.ts";
import { DataReference, dataReferenceSchema } from "../data-reference.ts";
import { messageOf, PlatformError } from "../errors.ts";
import { messagePackBounds } from "./messagepack-walk.ts";
import { makeNumericArray, numericKinds, type NumericKind } from "./value-forms.ts";

const { depth: maxDepth } = messagePackBounds.value;

/**
 * The JSON form of a value, for curl: bytes are `{"$bytes": base64}`, typed arrays `{"$array": "Float32Array", "base64": …}`,
 * data references `{"$ref": {sha256, size, range?}}`, numbers that JSON lacks `{"$number": "NaN"}`, `undefined` is
 * `{"$undefined": true}`. A key that begins with `$` gets another `$` in front.
 */
export function valueToJson(value: Value): unknown {
  if (value === undefined) return { $undefined: true };
  if (value === null) return null;
  if (typeof value === "number") return isInJson(value) ? value : { $number: numberName(value) };
  if (typeof value !== "object") return value;
  if (DataReference.is(value)) return { $ref: value.toJSON() };
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (ArrayBuffer.isView(value)) {
    const array: NumericArray = value;
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    return { $array: array[Symbol.toStringTag], base64: toBase64(bytes) };
  }
  if (Array.isArray(value)) return value.map((item: Value) => valueToJson(item));
  // `Object.fromEntries` makes `__proto__` a property like any other.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [keyToJson(key), valueToJson(item)]));
}

/** Whether JSON text can hold a number exactly. */
function isInJson(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

/** The text in `{"$number": …}` for a number that JSON lacks. */
function numberName(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A key in the JSON form, where keys of a single `$` are reserved. */
export function keyToJson(key: string): string {
  return key.startsWith("$") ? `$${key}` : key;
}

/**
 * Reads the JSON form that {@link valueToJson} writes; plain JSON reads as itself.
 * @throws PlatformError BAD_REQUEST when a `$` form is malformed, or the value is nested too deeply
 */
export function valueFromJson(json: unknown): Value {
  return read(json, 0);
}

function read(json: unknown, depth: number): Value {
  // A MessagePack body may hold byte arrays.
  if (typeof json !== "object" || json === null || json instanceof Uint8Array) return json as Value;
  if (depth >= maxDepth)
    throw new PlatformError(
      "UNSERIALISABLE",
      `A value is nested deeper than the ${maxDepth} levels that are allowed.`,
    );
  if (Array.isArray(json)) return readArray(json, depth);
  return readObject(json as Record<string, unknown>, depth);
}

/** Plain JSON is a value already: a container is copied when a member reads as another value. */
function readArray(json: readonly unknown[], depth: number): Value {
  let copy: Value[] | undefined;
  for (const [at, item] of json.entries()) {
    const value = read(item, depth + 1);
    if (value === item) continue;
    copy ??= json.slice() as Value[];
    copy[at] = value;
  }
  return copy ?? (json as Value[]);
}

function readObject(json: Record<string, unknown>, depth: number): Value {
  const names = Object.keys(json);
  let isPlain = true;
  const values: Value[] = [];
  for (const name of names) {
    if (name.startsWith("$")) {
      if (!name.startsWith("$$")) return taggedFromJson(name, json);
      isPlain = false;
    }
    const item = json[name];
    const value = read(item, depth + 1);
    if (value !== item) isPlain = false;
    values.push(value);
  }
  if (isPlain) return json as Value;
  // Made from entries: a key `__proto__` is one like any other then.
  return Object.fromEntries(
    names.map((name, at) => [name.startsWith("$$") ? name.slice(1) : name, values[at]]),
  );
}

const numbers = { NaN, Infinity, "-Infinity": -Infinity, "-0": -0 };
const text = v.string();
const forms = {
  $ref: v.strictObject({ $ref: dataReferenceSchema }),
  $bytes: v.strictObject({ $bytes: text }),
  $number: v.strictObject({ $number: v.picklist(["NaN", "Infinity", "-Infinity", "-0"]) }),
  $array: v.strictObject({ $array: v.picklist([...numericKinds, "Uint8Array"]), base64: text }),
  $undefined: v.strictObject({ $undefined: v.literal(true) }),
};

function taggedFromJson(tag: string, json: Record<string, unknown>): Value {
  try {
    if (tag === "$ref") return DataReference.from(v.parse(forms.$ref, json).$ref);
    if (tag === "$bytes") return fromBase64(v.parse(forms.$bytes, json).$bytes);
    if (tag === "$number") return numbers[v.parse(forms.$number, json).$number];
    if (tag === "$undefined") return void v.parse(forms.$undefined, json);
    if (tag !== "$array") throw new Error(`unknown form ${tag}`);
    const { $array: kind, base64 } = v.parse(forms.$array, json);
    const bytes = fromBase64(base64);
    return kind === "Uint8Array" ? bytes : arrayOf(kind, bytes);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError(
      "BAD_REQUEST",
      `In a JSON value: ${reason}. Expected {"$ref": …}, {"$bytes": base64}, {"$array": type, "base64": …}, {"$number": …} or {"$undefined": true}, and nothing beside it; write a key of your own that starts with $ as $$.`,
      error,
    );
  }
}

function arrayOf(kind: NumericKind, bytes: Uint8Array<ArrayBuffer>): NumericArray {
  return makeNumericArray(numericKinds.indexOf(kind), bytes.buffer) as NumericArray;
}
