import { onDisk } from "./measure.ts";
import { judge, trendOf } from "./trend.ts";

/** Memory at a time: MiB by the name of the part. */
export interface Sample {
  readonly seconds: number;
  /** Between two rounds, when no task is there. */
  readonly atRest: boolean;
  readonly mib: Readonly<Record<string, number>>;
}

/** Memory of one part at rest in the second half of a soak. */
interface PartTrend {
  readonly name: string;
  readonly atRestMib: number;
  readonly peakMib: number;
  readonly mibPerMinute: number;
  /** Standard error of `mibPerMinute`. */
  readonly error: number;
  readonly verdict: ReturnType<typeof judge> | "on disk";
}

/** Prints the newest sample as a line of a table. */
export function showSample(samples: readonly Sample[]): void {
  const { seconds, atRest, mib } = samples.at(-1)!;
  const columns = Object.keys(mib);
  if (samples.length % 30 === 1)
    console.log(["    s  ", ...columns.map((name) => name.padStart(16))].join(""));
  const values = columns.map((name) => mib[name]!.toFixed(1).padStart(16));
  console.log([`${seconds}`.padStart(5), atRest ? " *" : "  ", ...values].join(""));
}

/** @param bound - MiB a minute above which memory grows */
export function trendsOf(samples: readonly Sample[], bound: number): PartTrend[] {
  const rest = samples.filter(({ atRest }) => atRest);
  const half = rest.slice(Math.floor(rest.length / 2));
  return Object.keys(samples[0]!.mib).map((name) => {
    const trend = trendOf(half.map(({ seconds, mib }) => [seconds / 60, mib[name]!]));
    return {
      name,
      atRestMib: half.reduce((sum, { mib }) => sum + mib[name]!, 0) / half.length,
      peakMib: Math.max(...samples.map(({ mib }) => mib[name]!)),
      mibPerMinute: trend.slope,
      error: trend.error,
      verdict: name === onDisk ? "on disk" : judge(trend, bound),
    };
  });
}

export function showTrends(trends: readonly PartTrend[]): void {
  console.log("\nat rest, second half     MiB      peak   MiB/minute");
  for (const { name, atRestMib, peakMib, mibPerMinute, error, verdict } of trends)
    console.log(
      `${name.padEnd(18)}${atRestMib.toFixed(1).padStart(10)}${peakMib.toFixed(1).padStart(10)}` +
        `${mibPerMinute.toFixed(2).padStart(9)} ± ${(2 * error).toFixed(2).padEnd(7)} ${verdict}`,
    );
}
