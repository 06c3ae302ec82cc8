import { decodeValue, type Value } from "../../shared/wire/codec.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { Compare } from "../../shared/wire/rest/verification.ts";

type Tolerance = Exclude<Compare, string>;

/**
 * Whether two encoded outputs agree (SPEC.md [VERIFY-7]).
 * @param compare - with a tolerance, both outputs have to be inline
 */
export function agree(a: Payload, b: Payload, compare: Tolerance | "bits"): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array))
    return !(a instanceof Uint8Array) && !(b instanceof Uint8Array) && a.sha256 === b.sha256;
  if (Buffer.compare(a, b) === 0) return true;
  if (compare === "bits") return false;
  try {
    return isClose(decodeValue(a), decodeValue(b), compare);
  } catch {
    // An unreadable output agrees with nothing.
    return false;
  }
}

/** @param largest - largest magnitude in the array that a and b are of */
function isClose(a: Value, b: Value, tolerance: Tolerance, largest = 0): boolean {
  if (typeof a === "number" && typeof b === "number") return isNear(a, b, tolerance, largest);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return areNear(a, b, tolerance);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [first, second] = [a as Record<string, Value>, b as Record<string, Value>];
  const keys = Object.keys(first);
  const most = tolerance.norm && Array.isArray(a) ? largestOf(a, largestOf(b as Value[])) : 0;
  return (
    keys.length === Object.keys(second).length &&
    keys.every((key) => Object.hasOwn(second, key) && isClose(first[key], second[key], tolerance, most))
  );
}

function isNear(a: number, b: number, { abs = 0, rel = 0, norm = 0 }: Tolerance, largest: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  // Infinite and NaN are near to themselves only.
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= Math.max(abs, rel * Math.max(Math.abs(a), Math.abs(b)), norm * largest);
}

/** The largest magnitude of finite numbers in an array, and of `least`. */
function largestOf(array: ArrayLike<unknown>, least = 0): number {
  let largest = least;
  for (let at = 0; at < array.length; at++) {
    const value = array[at];
    const size = typeof value === "number" ? Math.abs(value) : 0;
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}

function areNear(a: object, b: object, tolerance: Tolerance): boolean {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const [first, second] = [a as ArrayLike<number | bigint>, b as ArrayLike<number | bigint>];
  if (first.length !== second.length) return false;
  const isExact = a instanceof Uint8Array;
  const largest = tolerance.norm ? largestOf(first, largestOf(second)) : 0;
  for (let at = 0; at < first.length; at++) {
    const [x, y] = [first[at]!, second[at]!];
    if (x === y) continue;
    if (isExact || typeof x !== "number" || typeof y !== "number" || !isNear(x, y, tolerance, largest))
      return false;
  }
  return true;
}
