import { render, type KeptRow } from "./render.ts";
import { terminalLines } from "./report.ts";
import { runScenario } from "./run.ts";
import { scenarios } from "./scenario.ts";

/** Flags of `npm run simulate -- trust`. */
export interface TrustFlags {
  readonly seeds?: number;
  readonly quick: boolean;
  readonly case?: string;
  readonly rule?: string;
  readonly json: boolean;
  readonly plot: boolean;
  readonly render: boolean;
}

const usualSeeds = 20;
const quickSeeds = 2;

/** Runs the scenarios one after the other, and reports each as it is done. */
export async function runTrust(flags: TrustFlags): Promise<void> {
  const { quick, json, plot } = flags;
  if (flags.render) return render([]);
  const count = flags.seeds ?? (quick ? quickSeeds : usualSeeds);
  const seeds = Array.from({ length: count }, (_, seed) => String(seed));
  const all: KeptRow[] = [];
  for (const one of scenarios) {
    if (!one.name.includes(flags.case ?? "")) continue;
    const scenario = quick ? { ...one, tasks: one.tasks / 10 } : one;
    const rows = runScenario(scenario, { seeds, only: flags.rule });
    all.push(...rows.map((row) => ({ ...row, seeds: count })));
    if (json) for (const row of rows) console.log(JSON.stringify({ ...row, seeds: count }));
    else console.log(`${terminalLines(rows)}\n`);
  }
  if (plot) await render(all);
}
