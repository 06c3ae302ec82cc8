import type { Payload } from "./task.ts";

/** Values up to this are bounded by their number, and by the work that a client asks for. */
const tinyBytes = 256;

/** Bytes of the inline values of a lease that count as waiting for a network (SPEC.md [MILES-1]). */
export function pacedBytes(input: Payload, resume?: Uint8Array): number {
  const bytes = (input instanceof Uint8Array ? input.length : 0) + (resume?.length ?? 0);
  return Math.max(0, bytes - tinyBytes);
}
