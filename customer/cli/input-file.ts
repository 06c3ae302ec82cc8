import { extname } from "node:path";
import type { Value } from "../../shared/wire/codec.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { parseJsonText } from "../../shared/wire/json-text.ts";
import { valueFromJson } from "../../shared/wire/value-json.ts";
import { openText, readLines, readText, type TextSource } from "./read-text.ts";

/** Formats of tables, which hold no JSON but are often tried. */
const tables = new Set([".csv", ".tsv", ".xls", ".xlsx", ".ods"]);

/**
 * Inputs from a file: one JSON array in `.json`, else a JSON value on each line (NDJSON); `-` is standard input, as NDJSON.
 * Values are in the JSON form for curl, so bytes and data references can be written too. The file is opened at once.
 * @throws PlatformError FILE_FAILED, BAD_ARGUMENT (naming the line)
 */
export async function readInputs(path: string): Promise<AsyncIterable<Value>> {
  const ending = extname(path).toLowerCase();
  if (tables.has(ending))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `${path} is a table; expected inputs as JSON: an array in a .json file, or one value a line, e.g. {"row": 1, "score": 0.5}.`,
    );
  const source = await openText(path);
  return ending === ".json" ? itemsOf(source) : valuesOf(source);
}

async function* itemsOf(source: TextSource): AsyncGenerator<Value, void, undefined> {
  const text = await readText(source);
  if (text.trim() === "")
    throw new PlatformError("BAD_ARGUMENT", `${source.name} is empty; expected [input, input, …].`);
  const list = parse(text, source.name);
  if (!Array.isArray(list))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `${source.name} is not a JSON array; expected [input, input, …]. One value a line belongs in a file that ends in .ndjson.`,
    );
  for (const [at, item] of (list as unknown[]).entries())
    yield valueOf(item, `item ${at + 1} of ${source.name}`);
}

async function* valuesOf(source: TextSource): AsyncGenerator<Value, void, undefined> {
  for await (const { line, number } of readLines(source)) {
    const where = `line ${number} of ${source.name}`;
    yield valueOf(parse(line, where), where);
  }
}

/** The whole numbers of `--range a:b`: from a to b − 1. @throws PlatformError BAD_OPTION */
export function readRange(text: string): Iterable<number> {
  const match = /^(-?\d+):(-?\d+)(?::(\d+))?$/.exec(text);
  const [from, to, step] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)];
  if (!match || step < 1 || ![from, to, step].every(Number.isSafeInteger))
    throw new PlatformError(
      "BAD_OPTION",
      `--range ${text} is not understood; expected FROM:TO or FROM:TO:STEP, e.g. 0:100.`,
    );
  return (function* () {
    for (let value = from; value < to; value += step) yield value;
  })();
}

function parse(text: string, where: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("BAD_ARGUMENT", `${where} is not JSON: ${reason}.${adviceFor(text)}`, error);
  }
}

function valueOf(json: unknown, where: string): Value {
  try {
    return valueFromJson(json);
  } catch (error) {
    const { code, message } = PlatformError.from(error);
    throw new PlatformError(code === "BAD_REQUEST" ? "BAD_ARGUMENT" : code, `${where}: ${message}`, error);
  }
}

/** The likely mistake behind a text that is no JSON. */
function adviceFor(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "[") return " A JSON array over several lines belongs in a file that ends in .json.";
  if (/[}\]"\w],$/.test(trimmed)) return " Lines are not separated by commas.";
  return /^[^{["]*[,;\t]/.test(trimmed) ? " It looks like a table; expected one JSON value a line." : "";
}
