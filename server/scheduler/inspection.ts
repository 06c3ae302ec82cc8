import { decodeValue, type Value } from "../../shared/wire/codec.ts";
import type { Payload } from "../../shared/wire/protocol.ts";

/** The answers of the kernel module's `check` and `suspicious` about an output. */
export interface Inspection {
  readonly correct: boolean;
  readonly suspicious: boolean;
}

/** Reads the value of an `inspect` call; undefined when it is no inspection. */
export function readInspection(output: Payload): Inspection | undefined {
  const value = read(output);
  if (typeof value !== "object" || value === null || !("correct" in value) || !("suspicious" in value))
    return undefined;
  const { correct, suspicious } = value;
  return typeof correct === "boolean" && typeof suspicious === "boolean"
    ? { correct, suspicious }
    : undefined;
}

/** Reads the value of a `compare` call. */
export function readComparison(output: Payload): boolean {
  return read(output) === true;
}

function read(output: Payload): Value {
  try {
    return output instanceof Uint8Array ? decodeValue(output) : undefined;
  } catch {
    return undefined;
  }
}
