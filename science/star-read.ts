/** A file that is not the STAR file it should be; the message says where and what was expected. */
export class StarError extends Error {
  override readonly name = "StarError";
}

/** One data block of a STAR file: columns by their label, without the underscore. */
export interface StarTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Reads the part of STAR that RELION writes: data blocks of one loop, or of single items (which become one row).
 * Hall, J. Chem. Inf. Comput. Sci. 31 (1991) 326.
 *
 * @returns the blocks by name, without `data_`
 * @throws StarError
 */
export function readStar(text: string): Map<string, StarTable> {
  const tables = new Map<string, StarTable>();
  let block: Block | undefined;
  text.split(/\r?\n/).forEach((line, i) => {
    const words = wordsOf(line);
    const [first] = words;
    if (first === undefined) return;
    if (/^data_/i.test(first)) {
      block = { columns: [], rows: [], loop: false };
      tables.set(first.slice(5), block);
      return;
    }
    if (!block) throw new StarError(`line ${i + 1}: "${first}" before any data block; "data_…" was expected`);
    addLine(block, words, i + 1);
  });
  return tables;
}

interface Block extends StarTable {
  readonly columns: string[];
  readonly rows: string[][];
  loop: boolean;
}

function addLine(block: Block, words: string[], line: number): void {
  const [first = "", value] = words;
  if (first.toLowerCase() === "loop_") {
    block.loop = true;
    return;
  }
  if (first.startsWith("_") && (!block.loop || block.rows.length === 0)) {
    block.columns.push(first.slice(1));
    if (block.loop) return;
    if (value === undefined) throw new StarError(`line ${line}: ${first} has no value`);
    (block.rows[0] ??= []).push(value);
    return;
  }
  if (!block.loop)
    throw new StarError(`line ${line}: "${first}"; "loop_" or an item such as _rlnName was expected`);
  if (words.length !== block.columns.length)
    throw new StarError(
      `line ${line}: ${words.length} values; ${block.columns.length} columns were announced`,
    );
  block.rows.push(words);
}

/** Words of a line, quoted ones whole; a comment ends it. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, double, single, plain] of line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
    if (plain?.startsWith("#")) break;
    words.push(double ?? single ?? plain ?? "");
  }
  return words;
}
