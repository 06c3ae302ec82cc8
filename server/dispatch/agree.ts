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

function isClose(a: Value, b: Value, tolerance: Tolerance): boolean {
  if (typeof a === "number" && typeof b === "number") return isNear(a, b, tolerance);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return areNear(a, b, tolerance);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [first, second] = [a as Record<string, Value>, b as Record<string, Value>];
  const keys = Object.keys(first);
  return (
    keys.length === Object.keys(second).length &&
    keys.every((key) => Object.hasOwn(second, key) && isClose(first[key], second[key], tolerance))
  );
}

function isNear(a: number, b: number, { abs = 0, rel = 0 }: Tolerance): boolean {
  if (Object.is(a, b) || a === b) return true;
  // Infinite and NaN are near to themselves only.
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= Math.max(abs, rel * Math.max(Math.abs(a), Math.abs(b)));
}

function areNear(a: object, b: object, tolerance: Tolerance): boolean {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const [first, second] = [a as ArrayLike<number | bigint>, b as ArrayLike<number | bigint>];
  if (first.length !== second.length) return false;
  const isExact = a instanceof Uint8Array;
  for (let at = 0; at < first.length; at++) {
    const [x, y] = [first[at]!, second[at]!];
    if (x === y) continue;
    if (isExact || typeof x !== "number" || typeof y !== "number" || !isNear(x, y, tolerance)) return false;
  }
  return true;
}
