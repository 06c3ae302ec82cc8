import { StarError, type StarTable } from "./star-read.ts";

/** RELION writes this number for an unknown one, such as the angles of particles that were picked by hand. */
const unknown = -999;

/** Valid numbers of a column. */
interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}

/** Place of a value for messages; `row` counts from 0. */
export function cellName(table: StarTable, row: number, column: string): string {
  return `data_${table.name}, row ${row + 1}, _${column}`;
}

/** The values of a column. @throws StarError when there is no such column */
export function textColumn(table: StarTable, name: string): string[] {
  const at = table.columns.indexOf(name);
  if (at < 0)
    throw new StarError(
      `data_${table.name}: no column _${name}; there are ${table.columns.map((c) => `_${c}`).join(", ") || "none"}`,
    );
  return table.rows.map((row) => row[at]!);
}

/**
 * The numbers of a column, in the given rows or all.
 * @throws StarError for a value that is no number, or out of range
 */
export function numberColumn(
  table: StarTable,
  name: string,
  range: NumberRange,
  rows: readonly number[] = [...table.rows.keys()],
): number[] {
  const texts = textColumn(table, name);
  return rows.map((row) => numberOf(texts[row]!, range, () => cellName(table, row, name)));
}

/**
 * The numbers of an optional column; undefined for the number that RELION writes for an unknown one.
 * @returns undefined when there is no such column
 * @throws StarError as {@link numberColumn}
 */
export function knownNumbers(
  table: StarTable,
  name: string,
  range: NumberRange,
): (number | undefined)[] | undefined {
  if (!table.columns.includes(name)) return undefined;
  return textColumn(table, name).map((text, row) =>
    Number(text) === unknown ? undefined : numberOf(text, range, () => cellName(table, row, name)),
  );
}

function numberOf(text: string, { min, max, whole }: NumberRange, where: () => string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max && !(whole && !Number.isInteger(value))) return value;
  throw new StarError(
    `${where()}: ${JSON.stringify(text)}; a ${whole ? "whole number" : "number"} from ${min} to ${max} was expected`,
  );
}
