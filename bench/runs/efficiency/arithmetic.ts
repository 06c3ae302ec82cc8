import { parseArgs } from "node:util";

/** Arithmetic that no compiler leaves out: a kernel by itself. Tells how long it took, in ms by the clock of where it runs. */
export const timedCompute = (iterations: number): { sum: number; ms: number } => {
  const start = performance.now();
  let sum = 0;
  let x = 0.5;
  for (let i = 0; i < iterations; i++) {
    // A logistic map: each step needs the one before.
    x = 3.9 * x * (1 - x);
    sum += x;
  }
  return { sum, ms: performance.now() - start };
};

/** Steps of {@link timedCompute} that took 1 ms on this machine when the topic began; measured by calibrate.ts. */
export const iterationsPerMs = Number(process.env["BENCH_PREPARED"] ?? 200_000);

const { values } = parseArgs({
  options: {
    ms: { type: "string", default: "10" },
    seconds: { type: "string", default: "4" },
    client: { type: "string", default: "node" },
  },
  strict: false,
});

export const slots = 2;
export const clientKind = values.client === "chromium" ? "chromium" : "node";
const taskMs = Number(values.ms);
export const iterations = Math.round(taskMs * iterationsPerMs);
/** As many as take so many seconds, at least four a slot. */
export const tasks = slots * Math.max(4, Math.round((Number(values.seconds) * 1000) / taskMs));

/**
 * Calls before the measurement, and the steps of each: the same everywhere. What V8 compiles on the way into a long loop is up
 * to 6 % faster than what it compiles of a function that was called often.
 */
export const warmUp = { calls: 200, iterations: Math.round(iterations / 100) };

/** Percent of the ideal: every slot computing all the time, at the calibrated speed. */
export function percentOfIdeal(wallMs: number): number {
  return (100 * tasks * taskMs) / slots / wallMs;
}
