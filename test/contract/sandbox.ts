import { expect, it } from "vitest";
import type { KernelVector } from "./kernel-vectors.ts";
import type { Observed } from "./run-vector.ts";

/** A sandbox that ends stops its work within this time, also on a busy machine. */
const endsWithinMs = 5_000;

/**
 * The contract of sandboxes: each vector has its expected outcome on every platform. A vector that kills its sandbox ends only
 * that sandbox.
 */
export function sandboxContract(
  vectors: readonly KernelVector[],
  run: (vector: KernelVector) => Promise<Observed>,
): void {
  for (const vector of vectors)
    it(vector.name, async () => {
      const observed = await run(vector);
      check(observed, vector);
      expect(observed.endedAfterMs).toBeLessThan(endsWithinMs);
    });
}

function check(observed: Observed, { expect: expected }: KernelVector): void {
  if (expected.state === "survives") return;
  expect(observed).toMatchObject({ state: expected.state });
  if (expected.state === "done") expect(observed.output).toEqual(expected.output);
  if (expected.state === "failed" || expected.state === "ended") expect(observed.kind).toBe(expected.kind);
  if (expected.state === "failed" || expected.state === "unloadable")
    expect(observed.message).toMatch(expected.message);
  if (expected.state === "failed" && expected.stack) expect(observed.stack).toMatch(expected.stack);
  if (expected.progress !== undefined) expect(observed.progress).toBe(expected.progress);
  if (expected.checkpoint !== undefined) expect(observed.checkpoint).toEqual(expected.checkpoint);
  if (expected.log) expect(observed.log).toEqual(expected.log);
}
