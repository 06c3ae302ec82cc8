import * as v from "valibot";
import { blobNameSchema, type BlobName } from "../../data-reference.ts";
import { limits } from "../../limits.ts";
import { failureKinds, type Failure, type FailureKind } from "../../wire/protocol.ts";
import { isColumn, isPack, unpackValues } from "../../wire/column-pack.ts";
import type { SandboxReport } from "../ports.ts";
import type { FinishedTask } from "../sandbox-task.ts";
import { clip } from "./runner-failure.ts";

/**
 * The parts of a sandbox's message that have the right shape and size. A kernel shares its realm with the runner and may send
 * anything in the runner's name, so this function never throws, and drops parts that make no sense. The checks are written by
 * hand because every finished task passes here: a schema library takes microseconds for a task.
 */
export function readReport(raw: unknown): SandboxReport {
  if (!isRecord(raw)) return {};
  const { finished, progress, checkpoint, log, show } = raw;
  return {
    ...(show !== undefined && { show }),
    ...(isRecord(finished) && { finished: readFinished(finished) }),
    ...(isRecord(progress) &&
      isIndex(progress["index"]) &&
      readProgress(progress["index"], progress["fraction"])),
    ...(isRecord(checkpoint) &&
      isIndex(checkpoint["index"]) &&
      readCheckpoint(checkpoint["index"], checkpoint["state"])),
    ...(isRecord(log) && isIndex(log["index"]) && readLog(log["index"], log["lines"])),
  };
}

function readProgress(index: number, fraction: unknown): Pick<SandboxReport, "progress"> {
  if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) return {};
  return { progress: { index, fraction } };
}

function readCheckpoint(index: number, state: unknown): Pick<SandboxReport, "checkpoint"> {
  if (!(state instanceof Uint8Array) || state.length > limits.checkpointBytes) return {};
  return { checkpoint: { index, state } };
}

function readLog(index: number, lines: unknown): Pick<SandboxReport, "log"> {
  if (!Array.isArray(lines)) return {};
  const read = readAll(lines, limits.logLinesPerMessage, (line) =>
    typeof line === "string" ? clip(line, limits.logLineChars) : undefined,
  );
  return { log: { index, lines: read } };
}

/** Columns that do not fit together report no task: their tasks run again. */
function readFinished({ indexes, sizes, bytes, extras }: Record<string, unknown>): FinishedTask[] {
  const count = Array.isArray(indexes) ? indexes.length : 0;
  if (count > limits.tasksPerMessage) return [];
  if (!isColumn(indexes, count, 0, limits.maxTaskIndex)) return [];
  if (!isPack(sizes, bytes, count, limits.blobBytes)) return [];
  const outputs = unpackValues({ sizes: sizes as number[], bytes: bytes as Uint8Array });
  const finished = indexes.map((index, i): FinishedTask => {
    return { index, outcome: { state: "done", output: outputs[i]!, refs: [] } };
  });
  if (Array.isArray(extras)) for (const extra of extras.slice(0, count)) readExtra(extra, finished);
  return finished;
}

/** A task in the columns has finished; when its extra properties make no sense, it counts as failed. */
function readExtra(raw: unknown, finished: FinishedTask[]): void {
  if (!isRecord(raw) || !isIndex(raw["at"])) return;
  const { at, failure, refs } = raw;
  const task = finished[raw["at"]];
  if (task?.outcome.state !== "done") return;
  const names = Array.isArray(refs) ? readRefs(refs) : undefined;
  const outcome: FinishedTask["outcome"] = names
    ? { state: "done", output: task.outcome.output, refs: names }
    : { state: "failed", failure: isRecord(failure) ? readFailure(failure) : nonsense };
  finished[at] = { ...task, outcome };
}

const nonsense: Failure = { kind: "unserialisable", message: "The sandbox reported a result that is none." };

function readRefs(refs: readonly unknown[]): BlobName[] | undefined {
  if (refs.length === 0) return [];
  if (refs.length > limits.refsPerTask) return undefined;
  const names = readAll(refs, limits.refsPerTask, (ref) => {
    const parsed = v.safeParse(blobNameSchema, ref);
    return parsed.success ? parsed.output : undefined;
  });
  return names.length === refs.length ? names : undefined;
}

function readFailure({ kind, message, stack }: Record<string, unknown>): Failure {
  return {
    kind: failureKinds.includes(kind as FailureKind) ? (kind as FailureKind) : "error",
    message: typeof message === "string" ? clip(message, limits.messageChars) : "no message",
    ...(typeof stack === "string" && { stack: clip(stack, limits.stackChars) }),
  };
}

function readAll<T>(items: readonly unknown[], max: number, read: (item: unknown) => T | undefined): T[] {
  const all: T[] = [];
  for (let at = 0; at < items.length && at < max; at++) {
    const item = read(items[at]);
    if (item !== undefined) all.push(item);
  }
  return all;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= limits.maxTaskIndex;
}
