import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { plotTopic } from "../../bench/harness/plot.ts";
import type { CaseResult, RunResult } from "../../bench/harness/case-result.ts";
import { columns, summaryCell } from "./report.ts";
import { ruleNames, type Row } from "./run.ts";
import { scenarios } from "./scenario.ts";

const docs = join(import.meta.dirname, "..", "..", "docs");
const page = join(docs, "trust.md");
const folder = join(docs, "simulate");
const plot = join(folder, "trust.svg");
const kept = join(folder, "trust.json");
const begin = "<!-- results: written by `npm run simulate -- trust --plot`, not by hand -->";
const end = "<!-- end of the results -->";

/** A row that was kept, with the number of its seeds. */
export interface KeptRow extends Row {
  readonly seeds: number;
}

/** Draws the plot, and writes the tables between the two marks in docs/trust.md. */
export async function render(fresh: readonly KeptRow[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const rows = keep(fresh);
  const byScenario = Map.groupBy(rows, ({ scenario }) => scenario);
  writeFileSync(
    plot,
    plotTopic([...byScenario.values()].filter(([first]) => Number.isFinite(first!.wrongBelow)).map(caseOf)),
  );
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has lost the marks of its results: ${begin} … ${end}`);
  const ours = rows.filter(({ rule }) => rule === "manyhands");
  const parts = [
    `Manyhands, ${fewestSeeds(ours)} seeds a scenario:`,
    table(
      ["scenario", ...columns.map(({ head }) => head)],
      ours.map((row) => [row.scenario, ...columns.map(({ cell }) => cell(row))]),
    ),
    `Wrong / accepted and overhead under each rule, ${fewestSeeds(rows)} seeds a scenario:`,
    table(
      ["scenario", ...ruleNames],
      [...byScenario].map(([scenario, those]) => [
        scenario,
        ...ruleNames.map((name) => summaryOf(those, name)),
      ]),
    ),
    "![Wrong among the accepted results](simulate/trust.svg)",
  ];
  const written = `${text.slice(0, from)}${begin}\n\n${parts.join("\n\n")}\n\n${text.slice(to)}`;
  writeFileSync(page, await format(written, { ...(await resolveConfig(page)), parser: "markdown" }));
}

/** Replaces kept rows by fresh ones, in the order of the scenarios. */
function keep(fresh: readonly KeptRow[]): KeptRow[] {
  const before = existsSync(kept) ? (JSON.parse(readFileSync(kept, "utf8"), revive) as KeptRow[]) : [];
  const byName = new Map([...before, ...fresh].map((row) => [`${row.scenario} ${row.rule}`, row]));
  const rows = scenarios.flatMap(({ name }) =>
    ruleNames.flatMap((rule) => byName.get(`${name} ${rule}`) ?? []),
  );
  writeFileSync(kept, `${JSON.stringify(rows, shorten, 2)}\n`);
  return rows;
}

/** JSON has no NaN. */
function revive(_: string, value: unknown): unknown {
  return value === null ? NaN : value;
}

function shorten(_: string, value: unknown): unknown {
  return typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(4)) : value;
}

function fewestSeeds(rows: readonly KeptRow[]): number {
  return Math.min(...rows.map(({ seeds }) => seeds));
}

function summaryOf(rows: readonly Row[], name: string): string {
  const row = rows.find(({ rule }) => rule === name);
  return row ? summaryCell(row) : "";
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [
    `| ${heads.join(" | ")} |`,
    `| --- |${" ---: |".repeat(heads.length - 1)}`,
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
  ].join("\n");
}

/** The 95 % bounds of wrong results, because a logarithmic axis has no zero. */
function caseOf(rows: readonly Row[]): CaseResult {
  const shown = rows.filter(({ wrongBelow }) => Number.isFinite(wrongBelow));
  const runs = shown.map(({ rule, wrongBelow: value, overhead }): RunResult => {
    const name = `${rule}, overhead ${Math.round(100 * overhead)} %`;
    return { name, durable: false, value, lowest: value, highest: value, extras: {} };
  });
  return {
    topic: "trust",
    case: rows[0]!.scenario,
    unit: "wrong / accepted, 95 % bound",
    better: "lower",
    manyhands: runs[0]!,
    peers: runs.slice(1),
    goals: [],
  };
}
