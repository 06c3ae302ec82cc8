import { parseArgs } from "node:util";

/** A kernel of arithmetic that no compiler leaves out. Returns ms by the clock of its realm. */
export const timedCompute = (iterations: number): { sum: number; ms: number } => {
  const start = performance.now();
  let sum = 0;
  let x = 0.5;
  for (let i = 0; i < iterations; i++) {
    // Each step of a logistic map needs the step before.
    x = 3.9 * x * (1 - x);
    sum += x;
  }
  return { sum, ms: performance.now() - start };
};

/** Steps of {@link timedCompute} that took 1 ms on this machine when the topic began; measured by calibrate.ts. */
const iterationsPerMs = Number(process.env["BENCH_PREPARED"] ?? 200_000);

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
/** Tasks of so many seconds in all, at least four a slot. */
export const tasks = slots * Math.max(4, Math.round((Number(values.seconds) * 1000) / taskMs));

/**
 * Calls before the measurement, and steps of each call, the same for every run: V8's code of a function that is entered once,
 * with a long loop, is up to 6 % faster than of a function that was called often.
 */
export const warmUp = { calls: 200, iterations: Math.round(iterations / 100) };

/** The ideal wall time, in which every slot computes all the time at the calibrated speed, in percent of a wall time. */
export function percentOfIdeal(wallMs: number): number {
  return (100 * tasks * taskMs) / slots / wallMs;
}
