import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import type { CaseResult, RunResult } from "./case-result.ts";
import { resultsFolder, type KeptTopic } from "./kept-results.ts";
import { describeMachine } from "./machine.ts";
import { plotTopic } from "./plot.ts";
import { formatNumber } from "./report.ts";

const page = join(resultsFolder, "..", "benchmarks.md");
const begin = "<!-- results: written by `npm run bench -- --plot`, not by hand -->";
const end = "<!-- end of the results -->";

/** Draws the plots, and writes the tables between the two marks in docs/benchmarks.md. */
export async function render(topics: readonly KeptTopic[]): Promise<void> {
  for (const { name, results } of topics)
    writeFileSync(join(resultsFolder, `${name}.svg`), plotTopic(results));
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has lost the marks of its results: ${begin} … ${end}`);
  const tables = topics.map(section).join("\n\n");
  const written = `${text.slice(0, from)}${begin}\n\n${tables}\n\n${text.slice(to)}`;
  // The format check of the repository covers this page.
  writeFileSync(page, await format(written, { ...(await resolveConfig(page)), parser: "markdown" }));
}

function section({ name, summary, machine, rounds, results }: KeptTopic): string {
  const head = [
    `### ${name}`,
    `${upperFirst(summary)}.`,
    `_${describeMachine(machine)}; medians of at least ${rounds} ${rounds === 1 ? "round" : "rounds"}._`,
  ];
  return [...head, `![${name}](bench/${name}.svg)`, ...results.map(caseTable), ...notes(results)].join(
    "\n\n",
  );
}

function caseTable(result: CaseResult): string {
  const { manyhands, peers, unit, goals } = result;
  const lines = [
    `**${result.case}** (${unit}, ${result.better} is better)`,
    "",
    "| | median | lowest … highest | more | manyhands / this |",
    "| --- | ---: | --- | --- | ---: |",
    ...[manyhands, ...peers].map((run) => row(run, manyhands)),
  ];
  const judged = goals.map(({ text, ratio, met }) =>
    met === undefined
      ? `${text}: ${formatNumber(ratio)}`
      : `${text}: ${formatNumber(ratio)}, ${met ? "met" : "not met"}`,
  );
  return [...lines, ...(judged.length > 0 ? ["", `Goal ${judged.join("; ")}.`] : [])].join("\n");
}

function row(run: RunResult, manyhands: RunResult): string {
  if (run.failed !== undefined) return `| ${run.name} | failed | | | |`;
  const extras = Object.entries(run.extras).map(([name, value]) => `${name} ${formatNumber(value)}`);
  const ratio = run === manyhands ? "" : formatNumber(manyhands.value / run.value);
  const spread = `${formatNumber(run.lowest)} … ${formatNumber(run.highest)}`;
  return `| ${run.name} | ${formatNumber(run.value)} | ${spread} | ${extras.join(", ")} | ${ratio} |`;
}

/** The configuration of each run in the tables, once. */
function notes(results: readonly CaseResult[]): string[] {
  const runs = results.flatMap(({ manyhands, peers }) => [manyhands, ...peers]);
  const lines = runs.flatMap(({ name, durable, note }) =>
    note === undefined ? [] : [`- ${name}${durable ? " (durable)" : ""}: ${note}`],
  );
  return lines.length === 0 ? [] : [[...new Set(lines)].join("\n")];
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
