import { parseArgs } from "node:util";
import { percentile } from "../../harness/statistics.ts";
import { inputOf } from "../support/inputs.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: { samples: { type: "string", default: "1000" }, warm: { type: "string", default: "2000" } },
  strict: false,
});

/** The median of so many round trips, in ms, from the submit to the output in the customer, one at a time; p99 beside it. */
export async function measureLatency(trip: (input: string) => Promise<string>): Promise<never> {
  const samples: number[] = [];
  const warm = Number(values.warm);
  for (let i = 0; i < warm + Number(values.samples); i++) {
    const input = inputOf(i);
    const start = performance.now();
    const output = await trip(input);
    if (output !== input) throw new Error(`"${input}" came back as "${output}"`);
    if (i >= warm) samples.push(performance.now() - start);
  }
  return report(percentile(samples, 0.5), { p99: percentile(samples, 0.99) });
}
