/** A file that is no valid STAR file; the message says the place and the expected text. */
export class StarError extends Error {
  override readonly name = "StarError";
}

/** A data block of a STAR file, with its columns by label, without the underscore. */
export interface StarTable {
  /** Name without `data_`; may be empty. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Original tables, whose columns can all be written again. */
export interface ParticleTables {
  /** Absent in files of RELION 3.0. */
  readonly optics?: StarTable;
  readonly particles: StarTable;
}

/**
 * Reads the part of STAR that RELION writes: data blocks of one loop, or of single items (which become one row). Hall, J. Chem.
 * Inf. Comput. Sci. 31 (1991) 326.
 *
 * @returns the blocks by name
 * @throws StarError, also for a block or a column that occurs twice
 */
export function readStar(text: string): Map<string, StarTable> {
  if (text.includes("\0"))
    throw new StarError("no text in UTF-8: it holds zero bytes, as UTF-16 does; save it as UTF-8");
  const tables = new Map<string, StarTable>();
  let block: Block | undefined;
  // Editors may begin a file with a byte order mark.
  text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .forEach((line, i) => {
      const words = wordsOf(line, i + 1);
      const [first] = words;
      if (first === undefined) return;
      if (first.plain && /^data_/i.test(first.text)) {
        const name = first.text.slice(5);
        if (tables.has(name))
          throw new StarError(`line ${i + 1}: a second block data_${name}; each was expected once`);
        block = { name, columns: [], rows: [], loop: false };
        tables.set(name, block);
        return;
      }
      if (!block)
        throw new StarError(`line ${i + 1}: "${first.text}" before any data block; "data_…" was expected`);
      addLine(block, words, i + 1);
    });
  return tables;
}

interface Word {
  readonly text: string;
  /** Whether the word had no quotes: only such a word can be a label or a keyword. */
  readonly plain: boolean;
}

interface Block extends StarTable {
  readonly columns: string[];
  readonly rows: string[][];
  loop: boolean;
}

function addLine(block: Block, words: readonly Word[], line: number): void {
  const [first, value] = words as readonly [Word, Word?];
  if (first.plain && first.text.toLowerCase() === "loop_") {
    if (block.columns.length > 0)
      throw new StarError(`line ${line}: a second loop in data_${block.name}; one was expected`);
    block.loop = true;
    return;
  }
  if (first.plain && first.text.startsWith("_") && (!block.loop || block.rows.length === 0)) {
    if (block.columns.includes(first.text.slice(1)))
      throw new StarError(`line ${line}: a second column ${first.text}; each was expected once`);
    block.columns.push(first.text.slice(1));
    if (block.loop) return;
    if (value === undefined) throw new StarError(`line ${line}: ${first.text} has no value`);
    (block.rows[0] ??= []).push(value.text);
    return;
  }
  if (!block.loop)
    throw new StarError(`line ${line}: "${first.text}"; "loop_" or an item such as _rlnName was expected`);
  if (words.length !== block.columns.length)
    throw new StarError(
      `line ${line}: ${words.length} values; ${block.columns.length} columns were announced${words.length > block.columns.length ? " (a value with a blank in it must be in quotes)" : ""}`,
    );
  block.rows.push(words.map(({ text }) => text));
}

/** Words of a line. A quote ends its word only before a blank or the end of the line. A comment ends the line. */
function wordsOf(line: string, number: number): Word[] {
  const words: Word[] = [];
  for (const [, double, single, plain] of line.matchAll(/"(.*?)"(?=\s|$)|'(.*?)'(?=\s|$)|(\S+)/g)) {
    if (plain?.startsWith("#")) break;
    if (plain !== undefined && /^["']/.test(plain))
      throw new StarError(`line ${number}: ${plain} begins with a quote that nothing ends`);
    words.push({ text: double ?? single ?? plain!, plain: plain !== undefined });
  }
  return words;
}
