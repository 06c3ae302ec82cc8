import * as v from "valibot";
import { packValues, unpackValues, type Placed } from "./column-pack.ts";
import { blobNameSchema } from "../data-reference.ts";
import { limits } from "../limits.ts";
import { durations, packSchema, wholeNumbers } from "./pack-schema.ts";
import { bytes, callSchema, failureSchema, refsSchema, type LeasedTask, type TaskResult } from "./task.ts";

const indexes = wholeNumbers(0, limits.maxTaskIndex);
const attempts = wholeNumbers(1, limits.maxAttemptNumber);
const empty = new Uint8Array();

const leaseColumnsSchema = packSchema(
  { indexes, attempts },
  {
    /** The blob that holds the input; the task's value in the pack is empty then. */
    input: v.optional(blobNameSchema),
    refs: v.optional(refsSchema),
    resume: v.optional(bytes(limits.checkpointBytes)),
    call: v.optional(callSchema),
  },
  limits.tasksPerMessage,
  limits.groupBytes,
);

const resultColumnsSchema = packSchema(
  { indexes, attempts, elapsedMs: durations },
  {
    failure: v.optional(failureSchema),
    /** The blob that holds the output; the task's value in the pack is empty then, as for a failure. */
    output: v.optional(blobNameSchema),
    refs: v.optional(refsSchema),
  },
);

type LeaseColumns = v.InferOutput<typeof leaseColumnsSchema>;
type LeaseExtra = NonNullable<LeaseColumns["extras"]>[number];
type ResultColumns = v.InferOutput<typeof resultColumnsSchema>;
type ResultExtra = NonNullable<ResultColumns["extras"]>[number];

/** Leased tasks on the wire; read as {@link LeasedTask}s whose inputs are views of the frame. */
export const leasedTasksSchema = v.pipe(leaseColumnsSchema, v.transform(readLeases));
/** Results on the wire; read as {@link TaskResult}s whose outputs are views of the frame. */
export const taskResultsSchema = v.pipe(resultColumnsSchema, v.transform(readResults));

/** Makes the columns that {@link leasedTasksSchema} reads. */
export function leaseColumns(tasks: readonly LeasedTask[]): LeaseColumns {
  const extras: LeaseExtra[] = [];
  const inputs = tasks.map(({ input, refs, resume, call }, at) => {
    const inline = input instanceof Uint8Array;
    if (!inline || refs || resume || call)
      extras.push({
        at,
        ...(!inline && { input }),
        ...(refs && { refs: [...refs] }),
        ...(resume && { resume }),
        ...(call && { call }),
      });
    return inline ? input : empty;
  });
  return {
    indexes: tasks.map(({ index }) => index),
    attempts: tasks.map(({ attempt }) => attempt),
    ...packValues(inputs),
    ...(extras.length > 0 && { extras }),
  };
}

/** Makes the columns that {@link taskResultsSchema} reads. */
export function resultColumns(results: readonly TaskResult[]): ResultColumns {
  const extras: ResultExtra[] = [];
  const outputs = results.map(({ outcome }, at) => {
    if (outcome.state === "failed") {
      extras.push({ at, failure: outcome.failure });
      return empty;
    }
    const { output, refs } = outcome;
    const inline = output instanceof Uint8Array;
    if (!inline || refs) extras.push({ at, ...(!inline && { output }), ...(refs && { refs }) });
    return inline ? output : empty;
  });
  return {
    indexes: results.map(({ index }) => index),
    attempts: results.map(({ attempt }) => attempt),
    elapsedMs: results.map(({ elapsedMs }) => elapsedMs),
    ...packValues(outputs),
    ...(extras.length > 0 && { extras }),
  };
}

function readLeases({ indexes, attempts, extras, ...values }: LeaseColumns): LeasedTask[] {
  const inputs = unpackValues(values);
  const tasks = indexes.map((index, i): LeasedTask => {
    return { index, attempt: attempts[i]!, input: inputs[i]! };
  });
  for (const { at, input = inputs[at]!, ...rest } of extras ?? [])
    tasks[at] = { ...tasks[at]!, ...rest, input };
  return tasks;
}

function readResults({ indexes, attempts, elapsedMs, extras, ...values }: ResultColumns): TaskResult[] {
  const outputs = unpackValues(values);
  const results = indexes.map((index, i): TaskResult => {
    const outcome = { state: "done" as const, output: outputs[i]! };
    return { index, attempt: attempts[i]!, elapsedMs: elapsedMs[i]!, outcome };
  });
  for (const extra of extras ?? [])
    results[extra.at] = { ...results[extra.at]!, outcome: readOutcome(extra, outputs[extra.at]!) };
  return results;
}

function readOutcome(
  { failure, output, refs }: Placed<Omit<ResultExtra, "at">>,
  inline: Uint8Array,
): TaskResult["outcome"] {
  if (failure) return { state: "failed", failure };
  return { state: "done", output: output ?? inline, ...(refs && { refs }) };
}
