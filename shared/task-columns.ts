import * as v from "valibot";
import { blobNameSchema } from "./data-reference.ts";
import { limits } from "./limits.ts";
import { bytes, failureSchema, refsSchema, type LeasedTask, type TaskResult } from "./task.ts";
import { isColumn, isDurationColumn, isValuePack, packValues, unpackValues } from "./value-pack.ts";

/**
 * Leases and results as they cross the wire: columns for what every task has, and a short list for what few tasks have.
 * Checked once, by loops: an object schema costs 2 µs a task (valibot 1.5).
 */

const at = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(limits.tasksPerMessage - 1));
const empty = new Uint8Array();

/** What a few of the tasks have besides: `at` is the task's place in the columns. */
const leaseExtraSchema = v.strictObject({
  at,
  /** The blob that holds the input; the task's value in the pack is empty then. */
  input: v.optional(blobNameSchema),
  refs: v.optional(refsSchema),
  resume: v.optional(bytes(limits.checkpointBytes)),
});

type LeaseExtra = v.InferOutput<typeof leaseExtraSchema>;

const resultExtraSchema = v.strictObject({
  at,
  failure: v.optional(failureSchema),
  /** The blob that holds the output; the task's value in the pack is empty then, as it is for a failure. */
  output: v.optional(blobNameSchema),
  refs: v.optional(refsSchema),
});

type ResultExtra = v.InferOutput<typeof resultExtraSchema>;

const extras = <const S extends v.GenericSchema>(schema: S) =>
  v.optional(v.pipe(v.array(schema), v.maxLength(limits.tasksPerMessage)));
/** Checked as a whole afterwards: all columns are of one length, and the sizes are those of the bytes. */
const unchecked = v.custom<readonly number[]>(Array.isArray, "expected a list");

const packBytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes");

const leaseColumnsSchema = v.pipe(
  v.strictObject({
    indexes: unchecked,
    attempts: unchecked,
    sizes: unchecked,
    bytes: packBytes,
    extras: extras(leaseExtraSchema),
  }),
  v.check((columns) => {
    const { indexes, sizes, bytes } = columns;
    return haveTasks(columns) && isValuePack(sizes, bytes, indexes.length, limits.inlineValueBytes);
  }, "expected columns of one length, within their bounds"),
);

const resultColumnsSchema = v.pipe(
  v.strictObject({
    indexes: unchecked,
    attempts: unchecked,
    elapsedMs: unchecked,
    sizes: unchecked,
    bytes: packBytes,
    extras: extras(resultExtraSchema),
  }),
  v.check((columns) => {
    const { indexes, elapsedMs, sizes, bytes } = columns;
    return (
      haveTasks(columns) &&
      isDurationColumn(elapsedMs, indexes.length) &&
      isValuePack(sizes, bytes, indexes.length, limits.inlineValueBytes)
    );
  }, "expected columns of one length, within their bounds"),
);

type LeaseColumns = v.InferOutput<typeof leaseColumnsSchema>;
type ResultColumns = v.InferOutput<typeof resultColumnsSchema>;

/** Leased tasks on the wire; read as {@link LeasedTask}s whose inputs are views of the frame. */
export const leasedTasksSchema = v.pipe(leaseColumnsSchema, v.transform(readLeases));
/** Results on the wire; read as {@link TaskResult}s whose outputs are views of the frame. */
export const taskResultsSchema = v.pipe(resultColumnsSchema, v.transform(readResults));

/** What {@link leasedTasksSchema} reads. */
export function leaseColumns(tasks: readonly LeasedTask[]): LeaseColumns {
  const found: LeaseExtra[] = [];
  const inputs = tasks.map(({ input, refs, resume }, at) => {
    const inline = input instanceof Uint8Array;
    if (!inline || refs || resume)
      found.push({
        at,
        ...(!inline && { input }),
        ...(refs && { refs: [...refs] }),
        ...(resume && { resume }),
      });
    return inline ? input : empty;
  });
  return {
    indexes: tasks.map(({ index }) => index),
    attempts: tasks.map(({ attempt }) => attempt),
    ...packValues(inputs),
    ...(found.length > 0 && { extras: found }),
  };
}

/** What {@link taskResultsSchema} reads. */
export function resultColumns(results: readonly TaskResult[]): ResultColumns {
  const found: ResultExtra[] = [];
  const outputs = results.map(({ outcome }, at) => {
    if (outcome.state === "failed") {
      found.push({ at, failure: outcome.failure });
      return empty;
    }
    const { output, refs } = outcome;
    const inline = output instanceof Uint8Array;
    if (!inline || refs) found.push({ at, ...(!inline && { output }), ...(refs && { refs }) });
    return inline ? output : empty;
  });
  return {
    indexes: results.map(({ index }) => index),
    attempts: results.map(({ attempt }) => attempt),
    elapsedMs: results.map(({ elapsedMs }) => elapsedMs),
    ...packValues(outputs),
    ...(found.length > 0 && { extras: found }),
  };
}

function haveTasks(columns: {
  readonly indexes: readonly number[];
  readonly attempts: readonly number[];
  readonly extras?: readonly { readonly at: number }[] | undefined;
}): boolean {
  const { indexes, attempts, extras = [] } = columns;
  const count = indexes.length;
  return (
    count <= limits.tasksPerMessage &&
    isColumn(indexes, count, 0, limits.maxTaskIndex) &&
    isColumn(attempts, count, 1, limits.maxAttemptNumber) &&
    extras.every(({ at }, i) => at < count && (i === 0 || at > extras[i - 1]!.at))
  );
}

function readLeases({ indexes, attempts, extras, ...pack }: LeaseColumns): LeasedTask[] {
  const inputs = unpackValues(pack);
  const tasks = indexes.map((index, i): LeasedTask => {
    return { index, attempt: attempts[i]!, input: inputs[i]! };
  });
  for (const { at, input = inputs[at]!, ...rest } of extras ?? [])
    tasks[at] = { ...tasks[at]!, ...rest, input };
  return tasks;
}

function readResults({ indexes, attempts, elapsedMs, extras, ...pack }: ResultColumns): TaskResult[] {
  const outputs = unpackValues(pack);
  const results = indexes.map((index, i): TaskResult => {
    const outcome = { state: "done" as const, output: outputs[i]! };
    return { index, attempt: attempts[i]!, elapsedMs: elapsedMs[i]!, outcome };
  });
  for (const extra of extras ?? [])
    results[extra.at] = { ...results[extra.at]!, outcome: readOutcome(extra, outputs[extra.at]!) };
  return results;
}

function readOutcome({ failure, output, refs }: ResultExtra, inline: Uint8Array): TaskResult["outcome"] {
  if (failure) return { state: "failed", failure };
  return { state: "done", output: output ?? inline, ...(refs && { refs }) };
}
