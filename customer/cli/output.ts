import type { Writable } from "node:stream";

/**
 * Writes a line to standard output, and waits while the reader (a pipe) is behind.
 * @throws Error when the line cannot be written
 */
export async function writeLine(line: string, stream: Writable = process.stdout): Promise<void> {
  if (!stream.write(`${line}\n`)) await drained(stream);
}

/**
 * Resolves when a stream has room again (SPEC.md [WAIT-1]).
 * @throws Error the stream's own error, or that it was closed, because a failed stream never drains
 */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      for (const event of ["drain", "error", "close"]) stream.off(event, settle);
      if (stream.errored) reject(stream.errored);
      else if (stream.destroyed) reject(new Error("the stream was closed"));
      else resolve();
    };
    if (stream.destroyed || !stream.writableNeedDrain) return settle();
    for (const event of ["drain", "error", "close"]) stream.once(event, settle);
  });
}

/** Writes a value as one JSON document. */
export function writeJson(value: unknown): Promise<void> {
  return writeLine(JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0));
}

/** A column of a table: its heading and the text of a row in it. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string | number;
  /** Aligns the column to the right, as for numbers. */
  readonly right?: boolean;
}

/** Rows as aligned text under headings. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map((column) => column.head),
    ...rows.map((row) => columns.map((column) => printableName(String(column.cell(row))))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, at) =>
          columns[at]?.right ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Control characters, line separators, and characters that change the direction of writing (Unicode Standard Annex 9, §2). */
const steering = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text of others (names, log lines, errors) with steering characters made visible, so that it cannot steer this terminal. */
export function printable(text: string): string {
  return text.replace(steering, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** The same for a name, which must stay on one line. */
export function printableName(text: string): string {
  return text.replace(steering, escaped);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

/** A time span for people: `340 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 60 / 24)} days`;
}

/** A size for people, in binary units. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** The time since `time`, for people. */
export function ago(time: number): string {
  return `${span(Math.max(0, Date.now() - time))} ago`;
}

/** A rate for people. */
export function rate(perSecond: number): string {
  return perSecond >= 10 ? `${Math.round(perSecond)}/s` : `${perSecond.toFixed(perSecond < 1 ? 2 : 1)}/s`;
}

/** The reason why no task of a job is computed. */
export const quotaFullText = "quota full: delete jobs, see `manyhands usage`";
