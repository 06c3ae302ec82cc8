import type { Row } from "./run.ts";

/** Columns of the tables. */
export const columns: readonly { readonly head: string; readonly cell: (row: Row) => string }[] = [
  { head: "wrong / accepted", cell: wrongShare },
  { head: "before the end", cell: ({ wrongBeforeEnd }) => short(wrongBeforeEnd) },
  { head: "overhead", cell: ({ overhead }) => percent(overhead) },
  { head: "honest withdrawn", cell: ({ honestWithdrawn }) => short(honestWithdrawn) },
  { head: "delay p50, p95", cell: ({ p50, p95 }) => `${seconds(p50)}, ${seconds(p95)}` },
  {
    head: "after the window",
    cell: ({ p50AfterWindow, p95AfterWindow }) => `${seconds(p50AfterWindow)}, ${seconds(p95AfterWindow)}`,
  },
  { head: "burnt", cell: ({ burnt }) => String(burnt) },
  { head: "wrong / burnt", cell: ({ wrongPerBurnt }) => short(wrongPerBurnt) },
  { head: "stopped", cell: ({ stopped }) => (stopped === 0 ? "" : percent(stopped)) },
];

/** Share of wrong results, or its upper bound when there was none. */
function wrongShare({ wrong, wrongBelow }: Row): string {
  return wrong === 0 ? `< ${short(wrongBelow)}` : short(wrong);
}

/** Wrong results and overhead of a row in one cell. */
export function summaryCell(row: Row): string {
  return row.accepted === 0 ? "none accepted" : `${wrongShare(row)} at ${percent(row.overhead)}`;
}

/** The table of the terminal, one line a rule. */
export function terminalLines(rows: readonly Row[]): string {
  const lines = rows.map((row) => [row.rule, ...columns.map(({ cell }) => cell(row))]);
  const heads = ["", ...columns.map(({ head }) => head)];
  const widths = heads.map((head, at) => Math.max(head.length, ...lines.map((line) => line[at]!.length), 10));
  const format = (cells: readonly string[]) => cells.map((cell, at) => cell.padEnd(widths[at]!)).join("  ");
  return [rows[0]?.scenario, format(heads), ...lines.map(format)].join("\n");
}

/** Two significant digits, as a power of ten when small. */
function short(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (value === 0) return "0";
  const text = value < 0.01 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
  return text.replace("e-", "e−");
}

function percent(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return `${Number((100 * value).toPrecision(3))} %`;
}

function seconds(value: number): string {
  if (Number.isNaN(value)) return "-";
  return value < 120 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`;
}
