import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { valueFromJson, type Value } from "../../shared/codec.ts";
import { PlatformError } from "../../shared/errors.ts";

/**
 * Inputs from a file: one JSON array in `.json`, else one JSON value a line (NDJSON); `-` is standard input, as NDJSON.
 * Values are in the JSON form that curl uses, so bytes and data references can be written too.
 */
export async function* readInputs(path: string): AsyncGenerator<Value, void, undefined> {
  if (path.endsWith(".json")) {
    const list = parse(await read(path), path);
    if (!Array.isArray(list))
      throw new PlatformError("BAD_REQUEST", `${path} is not a JSON array; expected [input, input, …].`);
    for (const item of list as unknown[]) yield valueFromJson(item);
    return;
  }
  const stream = path === "-" ? process.stdin : createReadStream(path);
  // A stream that fails to open tells its lines' reader nothing.
  const failed = new Promise<never>((_, reject) => {
    stream.once("error", (error) => reject(unreadable(path, error)));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: stream, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (let number = 1; ; number++) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done) return;
    if (next.value.trim() !== "") yield valueFromJson(parse(next.value, `line ${number} of ${path}`));
  }
}

/** The whole numbers of `--range a:b`: from a up to but not including b. */
export function* readRange(text: string): Generator<number, void, undefined> {
  const match = /^(-?\d+):(-?\d+)(?::(\d+))?$/.exec(text);
  const [from, to, step] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)];
  if (!match || step < 1)
    throw new PlatformError(
      "BAD_OPTION",
      `--range ${text} is not understood; expected FROM:TO or FROM:TO:STEP, e.g. 0:100.`,
    );
  for (let value = from; value < to; value += step) yield value;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): PlatformError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PlatformError("BAD_REQUEST", `The inputs cannot be read from ${path}: ${reason}.`, error);
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PlatformError("BAD_REQUEST", `${where} is not JSON: ${reason}.`, error);
  }
}
