import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CaseResult, RunResult } from "./case-result.ts";
import type { Machine } from "./machine.ts";

/** The folder of the plots and of the numbers behind them. */
export const resultsFolder = join(import.meta.dirname, "..", "..", "docs", "bench");
const file = join(resultsFolder, "results.json");

/** The last measurement of a topic. */
export interface KeptTopic {
  readonly name: string;
  readonly summary: string;
  readonly machine: Machine;
  /** The fewest rounds of any case: a topic may have been measured in parts. */
  readonly rounds: number;
  readonly results: readonly CaseResult[];
}

export function readKept(): KeptTopic[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8"), revive) as KeptTopic[]) : [];
}

/** Replaces the kept results of the measured topics; of a topic measured in part, those of the cases that gave a number. */
export function keep(topics: readonly KeptTopic[]): KeptTopic[] {
  const measured = topics.map((topic) => ({
    ...topic,
    results: topic.results.filter(({ manyhands }) => manyhands.failed === undefined),
  }));
  const before = readKept();
  const names = [...new Set([...before, ...measured].map(({ name }) => name))].sort();
  const kept = names.map((name) => {
    const old = before.find((topic) => topic.name === name);
    const now = measured.find((topic) => topic.name === name);
    if (!now || !old) return (now ?? old)!;
    const fresh = new Map(now.results.map((result) => [result.case, result]));
    const results = new Map([...old.results.map((result) => [result.case, result] as const), ...fresh]);
    const rounds = results.size > fresh.size ? Math.min(old.rounds, now.rounds) : now.rounds;
    return { ...now, rounds, results: [...results.values()] };
  });
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(kept, shorten, 2)}\n`);
  return kept;
}

/** Cuts numbers to five digits, which are more than a measurement is good for. NaN becomes null in JSON. */
function shorten(_: string, value: unknown): unknown {
  return typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(5)) : value;
}

const numbers = new Set<string>(["value", "lowest", "highest"] satisfies (keyof RunResult)[]);

function revive(key: string, value: unknown): unknown {
  return value === null && numbers.has(key) ? NaN : value;
}
