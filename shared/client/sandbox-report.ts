import * as v from "valibot";
import { blobNameSchema, type BlobName } from "../data-reference.ts";
import { limits } from "../limits.ts";
import { failureKinds, type Failure, type FailureKind } from "../protocol.ts";
import type { FinishedTask, SandboxReport } from "./ports.ts";
import { clip } from "./runner-failure.ts";

/**
 * What a sandbox said, reduced to what has the right shape and size. A kernel shares its realm with the runner and may
 * say anything in its name: nothing here throws, and what makes no sense is left out. Written by hand because every
 * finished task passes here: a schema library takes microseconds a task.
 */
export function readReport(raw: unknown): SandboxReport {
  if (!isRecord(raw)) return {};
  const { finished, progress, checkpoint, log } = raw;
  return {
    ...(Array.isArray(finished) && { finished: readAll(finished, limits.tasksPerMessage, readFinished) }),
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

function readFinished(raw: unknown): FinishedTask | undefined {
  if (!isRecord(raw) || !isIndex(raw["index"]) || !isRecord(raw["outcome"])) return undefined;
  const elapsedMs = typeof raw["elapsedMs"] === "number" && raw["elapsedMs"] >= 0 ? raw["elapsedMs"] : 0;
  const outcome = readOutcome(raw["outcome"]);
  return { index: raw["index"], elapsedMs, outcome };
}

/** A task that says it finished has finished: when the rest makes no sense, it has failed. */
function readOutcome(raw: Record<string, unknown>): FinishedTask["outcome"] {
  const { state, output, refs, failure } = raw;
  if (state === "failed" && isRecord(failure)) return { state, failure: readFailure(failure) };
  const names = Array.isArray(refs) ? readRefs(refs) : undefined;
  if (state === "done" && output instanceof Uint8Array && names) return { state, output, refs: names };
  const message = "The sandbox reported a result that is none.";
  return { state: "failed", failure: { kind: "unserialisable", message } };
}

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
