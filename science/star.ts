/** A table of a STAR file: named columns, a line for each row, quotes around values that need them. */
export function starTable(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const head = columns.map((column, i) => `_${column} #${i + 1}`);
  const body = rows.map((row) => row.map(cellText).join("\t"));
  return [`data_${name}`, "", "loop_", ...head, ...body, "", ""].join("\n");
}

/** The text of a cell. @throws RangeError for a value that no STAR file can hold */
function cellText(cell: string | number): string {
  if (typeof cell === "number") {
    if (!Number.isFinite(cell)) throw new RangeError(`${cell} in a STAR file; a finite number was expected`);
    return Number.isInteger(cell) ? String(cell) : cell.toFixed(6);
  }
  if (cell !== "" && !/\s|^["'#_$[\];]|^(data_|save_|loop_$|stop_$|global_$)/i.test(cell)) return cell;
  // A quote ends a value only before a blank.
  const quote = ['"', "'"].find((mark) => !new RegExp(`${mark}\\s`).test(cell));
  if (quote && !/[\r\n]/.test(cell)) return `${quote}${cell}${quote}`;
  throw new RangeError(
    `${JSON.stringify(cell)} cannot be written to a STAR file: it holds a line break, or both quotes before blanks`,
  );
}

/** RELION's name of an image in a stack; `index` counts from 0. */
export function imageName(index: number, stack: string): string {
  return `${String(index + 1).padStart(6, "0")}@${stack}`;
}
