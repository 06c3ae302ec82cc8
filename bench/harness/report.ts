import type { CaseResult, RunResult } from "./case-result.ts";

/** JSON with an object for each peer; without peers, an object whose peer is null. */
export function jsonLines(result: CaseResult): string[] {
  const { topic, unit, manyhands } = result;
  const base = { topic, case: result.case, manyhands: finite(manyhands.value) };
  const peers = result.peers.length > 0 ? result.peers : [undefined];
  return peers.map((peer) =>
    JSON.stringify({
      ...base,
      peer: finite(peer?.value),
      peerName: peer?.name ?? null,
      ratio: peer ? finite(manyhands.value / peer.value) : null,
      unit,
      extras: manyhands.extras,
      goals: result.goals,
    }),
  );
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** The table for people. */
export function table(result: CaseResult): string {
  const lines = [`${result.topic} · ${result.case} (${result.unit}, ${result.better} is better)`];
  const width = Math.max(...[result.manyhands, ...result.peers].map(({ name }) => name.length));
  for (const run of [result.manyhands, ...result.peers])
    lines.push(`  ${run.name.padEnd(width)}  ${describeRun(run)}${ratioTo(run, result)}`);
  for (const { text, ratio, met } of result.goals)
    if (met === undefined) lines.push(`  ${text}: ${formatNumber(ratio)}`);
    else lines.push(`  goal ${text}: ${formatNumber(ratio)} ${met ? "met" : "NOT MET"}`);
  return lines.join("\n");
}

function describeRun(run: RunResult): string {
  if (run.failed !== undefined) return `failed: ${run.failed.split("\n")[0]}`;
  const spread = `${formatNumber(run.lowest)} … ${formatNumber(run.highest)}`;
  const extras = Object.entries(run.extras).map(([name, value]) => `${name} ${formatNumber(value)}`);
  return [formatNumber(run.value).padStart(9), spread.padEnd(21), ...extras].join("  ");
}

function ratioTo(run: RunResult, { manyhands }: CaseResult): string {
  if (run === manyhands || !Number.isFinite(manyhands.value / run.value)) return "";
  return `  manyhands / this = ${formatNumber(manyhands.value / run.value)}`;
}

/** Three significant digits, thousands apart. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
