import { parseArgs } from "node:util";
import { report } from "../support/report.ts";

export const threads = 2;

const { values } = parseArgs({
  options: { ms: { type: "string", default: "10" }, seconds: { type: "string", default: "3" } },
  strict: false,
});
const ms = Number(values.ms);
/** The number of tasks of 0 ms, which have no ideal time to fill. */
const tinyTasks = 20_000;

export interface BurnTask {
  readonly ms: number;
}

/** A kernel that keeps a thread busy for so many ms. Both platforms get it as source text. */
export const burn = ({ ms }: BurnTask): number => {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
};

/**
 * Runs tasks on a pool that is up, after a tenth as many that warm it up. Reports percent of the ideal, in which all threads are
 * busy from first to last; of tasks of 0 ms tasks a second.
 */
export async function measureTasks(run: (tasks: BurnTask[]) => PromiseLike<unknown[]>): Promise<never> {
  const count = ms === 0 ? tinyTasks : Math.round((Number(values.seconds) * 1000 * threads) / ms);
  await run(makeTasks(Math.max(threads, Math.round(count / 10))));
  const start = performance.now();
  const outputs = await run(makeTasks(count));
  const tookMs = performance.now() - start;
  if (outputs.length !== count || outputs.some((output) => output !== ms))
    throw new Error(`${count} tasks gave ${outputs.length} outputs, or wrong ones`);
  const value = ms === 0 ? count / (tookMs / 1000) : (100 * ((count * ms) / threads)) / tookMs;
  return report(value, { tasks: count, tookMs });
}

function makeTasks(count: number): BurnTask[] {
  return Array.from({ length: count }, () => ({ ms }));
}
