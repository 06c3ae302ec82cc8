import { readResults } from "./jobs.ts";

/** Start and end of a call of {@link timedSource}, in ms since the epoch. */
export type Run = readonly [start: number, end: number];

/** A kernel that computes for as many ms as its input says. */
export const timedSource = `export default (ms) => {
  const start = Date.now();
  while (Date.now() - start < ms);
  return [start, Date.now()];
};`;

/** Runs of a job so far, in order. */
export async function readRuns(server: Parameters<typeof readResults>[0], id: string): Promise<Run[]> {
  const lines = await readResults(server, id);
  const runs = lines.flatMap((line) => (line.state === "done" ? [line.output as Run] : []));
  return runs.sort(([a], [b]) => a - b);
}

/** Time from the first run to the last, in ms. */
export function spanOf(runs: readonly Run[]): number {
  return (runs.at(-1)?.[0] ?? 0) - (runs[0]?.[0] ?? 0);
}

/** Share of the time that runs take. The rest behind the last run does not count, and so neither does the run. */
export function shareOf(runs: readonly Run[]): number {
  return runs.slice(0, -1).reduce((sum, [start, end]) => sum + end - start, 0) / spanOf(runs);
}
