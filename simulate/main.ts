/** `npm run simulate -- trust [--seeds 20] [--scenario TEXT] [--json] [--docs]` */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PlatformError } from "../shared/errors.ts";
import { packageRoot } from "../system/package-root.ts";
import { Random } from "./random.ts";
import { scenarios } from "./scenarios.ts";
import { summarise, tableOf, type Summary } from "./summary.ts";
import { runTrust } from "./trust-world.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "20" },
    scenario: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
  },
});
if (positionals[0] !== "trust" || positionals.length > 1)
  throw new PlatformError(
    "BAD_ARGUMENT",
    "Expected: npm run simulate -- trust [--seeds 20] [--scenario TEXT] [--json] [--docs].",
  );
const seeds = Number(values.seeds);
if (!Number.isInteger(seeds) || seeds < 1 || seeds > 1000)
  throw new PlatformError("BAD_ARGUMENT", `--seeds ${values.seeds} is no whole number from 1 to 1000.`);

const summaries: Summary[] = [];
for (const scenario of scenarios.filter(({ name }) => name.includes(values.scenario))) {
  const outcomes = Array.from({ length: seeds }, (_, seed) => runTrust(scenario, new Random(seed + 1)));
  summaries.push(summarise(scenario, outcomes, new Random(1)));
  if (!values.json) process.stderr.write(`${scenario.name}\n`);
}
process.stdout.write(values.json ? `${JSON.stringify(summaries, undefined, 2)}\n` : tableOf(summaries));
if (values.docs) writeDocs(tableOf(summaries));

/** Replaces the table of docs/trust.md. */
function writeDocs(table: string): void {
  const file = join(packageRoot, "docs", "trust.md");
  const text = readFileSync(file, "utf8");
  const [before, after] = ["<!-- table -->\n", "<!-- end of table -->\n"];
  const begin = text.indexOf(before) + before.length;
  writeFileSync(file, `${text.slice(0, begin)}\n${table}\n${text.slice(text.indexOf(after))}`);
}
