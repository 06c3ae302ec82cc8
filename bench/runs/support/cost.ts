import { cpuSecondsOf, memoryOf, resetPeak } from "./process-stat.ts";
import { rounded } from "./report.ts";

/** What some work took of a server process and of this one. */
export interface Cost {
  readonly ms: number;
  /** How much larger the server's resident memory was at its largest than before. */
  readonly serverGrowthMib: number;
  readonly serverCpuSeconds: number;
  readonly loopCpuSeconds: number;
  readonly seconds: number;
}

/** Does some work and tells what it cost, beside its wall time. */
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
