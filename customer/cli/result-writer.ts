import { open } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Value } from "../../shared/wire/codec.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import type { TaskOutcome } from "../outcomes.ts";
import { printable, writeLine } from "./output.ts";
import type { View, WrittenResults } from "./transfer-view.ts";

/** Writes outcomes as NDJSON: `{"seq", "index", "output"}` or `{"seq", "index", "error": {…}}` on each line. */
export interface ResultWriter {
  /** Whether a line could not be written, so that this command gives no more results. */
  readonly hasFailed: boolean;
  /** @returns bytes of the line */
  write(outcome: TaskOutcome<Value>): Promise<number>;
  close(): Promise<void>;
}

/** A file, or standard output, that takes lines. */
export interface LineWriter extends Omit<ResultWriter, "write"> {
  writeLine(line: string): Promise<void>;
}

export function isStandardOutput(path: string | undefined): path is undefined | "-" {
  return path === undefined || path === "-";
}

/**
 * Opens a file for lines, or standard output without a path or for `-`.
 * @throws PlatformError BAD_OPTION when the file cannot be written; the writer's methods as well
 */
export async function openOutput(path: string | undefined): Promise<LineWriter> {
  if (isStandardOutput(path))
    return {
      // A failure of standard output ends the program.
      hasFailed: false,
      writeLine: (line) => writeLine(line),
      close: () => Promise.resolve(),
    };
  const named = (error: unknown): never => {
    const reason = messageOf(error);
    throw new PlatformError("BAD_OPTION", `The results cannot be written to ${path}: ${reason}.`, error);
  };
  const stream = (await open(path, "w").catch(named)).createWriteStream();
  // The stream keeps its failure, and the next call throws it.
  stream.on("error", () => undefined);
  return {
    get hasFailed() {
      return stream.errored !== null;
    },
    writeLine: (line) => writeLine(line, stream).catch(named),
    async close() {
      stream.end();
      await finished(stream).catch(named);
    },
  };
}

/** Writes results as lines. */
export function resultWriter(output: LineWriter): ResultWriter {
  return {
    get hasFailed() {
      return output.hasFailed;
    },
    async write(outcome) {
      const line = JSON.stringify(lineOf(outcome));
      await output.writeLine(line);
      return Buffer.byteLength(line) + 1;
    },
    close: () => output.close(),
  };
}

/** Shows how many of the expected results are written. */
export function shownWriter(
  writer: ResultWriter,
  expected: number,
  view: View<WrittenResults>,
): ResultWriter {
  let results = 0;
  let bytes = 0;
  const show = (): void => view.show({ results, total: Math.max(expected, results), bytes });
  show();
  return {
    get hasFailed() {
      return writer.hasFailed;
    },
    async write(outcome) {
      const written = await writer.write(outcome);
      results++;
      bytes += written;
      show();
      return written;
    },
    close: () => writer.close(),
  };
}

function lineOf({ seq, index, error, output }: TaskOutcome<Value>): unknown {
  if (!error) return { seq, index, output: valueToJson(output) };
  const { kind, message, stack, attempts, client } = error;
  // Failures such as timeouts have no stack of frames.
  const frames = stack?.includes("\n") ? { stack } : {};
  return { seq, index, error: { kind, message, ...frames, attempts, client } };
}

/** A failed task, for people. */
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
