import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Value } from "../../shared/wire/codec.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import type { TaskOutcome } from "../outcomes.ts";
import { printable, writeLine } from "./output.ts";

/** Writes outcomes as NDJSON: `{"seq", "index", "output"}` or `{"seq", "index", "error": {…}}` a line. */
export interface ResultWriter {
  write(outcome: TaskOutcome<Value>): Promise<void>;
  close(): Promise<void>;
}

/** To a file, or to standard output when there is no path or it is `-`. */
export function resultWriter(path: string | undefined): ResultWriter {
  const toFile = path !== undefined && path !== "-";
  const stream = toFile ? createWriteStream(path) : process.stdout;
  let failure: unknown;
  if (toFile) stream.on("error", (error) => (failure = error));
  return {
    async write(outcome) {
      if (failure) throw failure;
      await writeLine(JSON.stringify(lineOf(outcome)), stream);
    },
    async close() {
      if (failure) throw failure;
      if (!toFile) return;
      stream.end();
      await finished(stream);
    },
  };
}

function lineOf({ seq, index, error, output }: TaskOutcome<Value>): unknown {
  if (!error) return { seq, index, output: valueToJson(output) };
  const { kind, message, stack, attempts, client } = error;
  // What never ran to an end of its own has no stack worth telling.
  const frames = stack?.includes("\n") ? { stack } : {};
  return { seq, index, error: { kind, message, ...frames, attempts, client } };
}

/** A failed task for people. */
export function describeFailure({
  index,
  kind,
  attempts,
  message,
  stack,
}: {
  readonly index: number;
  readonly kind: string;
  readonly attempts: number;
  readonly message: string;
  readonly stack?: string | undefined;
}): string {
  if (kind === "blocked") return printable(`  every task is blocked: ${message}`);
  const frames = (stack ?? "")
    .split("\n")
    .filter((line) => /^\s*at /.test(line))
    .map((line) => `    ${line.trim()}`);
  const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
  return printable([`  task ${index} failed (${kind}, ${tries}): ${message}`, ...frames].join("\n"));
}
