import type { JobCost, TaskTime } from "./store.ts";

/** Slowest tasks that are kept of a job. */
export const slowestKept = 20;

/** Adds up costs; of two runs of a task the slower one stays among the slowest. */
export function joinCosts(a: JobCost, b: JobCost): JobCost {
  const runs = new Map<number, TaskTime>();
  for (const run of [...a.slowest, ...b.slowest])
    if (run.elapsedMs >= (runs.get(run.index)?.elapsedMs ?? 0)) runs.set(run.index, run);
  return {
    computedMs: a.computedMs + b.computedMs,
    attempts: a.attempts + b.attempts,
    slowest: [...runs.values()].sort((x, y) => y.elapsedMs - x.elapsedMs).slice(0, slowestKept),
  };
}
