import { cpuSecondsOf, memoryOf, resetPeak } from "./process-stat.ts";
import { rounded } from "./report.ts";

/** The cost of some work for a server process and for the process of the benchmark. */
interface Cost {
  readonly ms: number;
  /** The largest resident memory of the server during the work, less that before it. */
  readonly serverGrowthMib: number;
  readonly serverCpuSeconds: number;
  readonly loopCpuSeconds: number;
  readonly seconds: number;
}

/** Does some work and measures its cost. */
export async function costOf(server: number, work: () => Promise<void>): Promise<Cost> {
  const { rssMib } = await memoryOf(server);
  await resetPeak(server);
  const cpuBefore = await cpuSecondsOf(server);
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(ownBefore);
  const cpu = (await cpuSecondsOf(server)) - cpuBefore;
  const { peakMib } = await memoryOf(server);
  return {
    ms,
    serverGrowthMib: Math.round(peakMib - rssMib),
    serverCpuSeconds: rounded(cpu, 2),
    loopCpuSeconds: rounded((user + system) / 1e6, 2),
    seconds: rounded(ms / 1000, 2),
  };
}
