import { packValues, unpackValues, type ColumnPack, type Placed } from "../../wire/column-pack.ts";
import type { FinishedTask, SandboxTask } from "../sandbox-task.ts";

/**
 * Tasks and results as they cross the boundary of a sandbox. A structured clone of 500 objects with a byte array each costs ten
 * times that of four arrays.
 */

/** The tasks of a bundle; values are their inputs. Few tasks resume from a checkpoint, or call a verifying function. */
export interface TaskPack extends ColumnPack<Pick<SandboxTask, "resume" | "call">> {
  readonly indexes: readonly number[];
  readonly attempts: readonly number[];
}

/** Finished tasks, in order; values are their outputs, empty for failed tasks. */
export interface FinishedPack extends ColumnPack<FinishedExtra> {
  readonly indexes: readonly number[];
}

/** The failure of a task, or the blobs in its output; most tasks have neither. */
export type FinishedExtra =
  | { readonly failure: Extract<FinishedTask["outcome"], { state: "failed" }>["failure"] }
  | { readonly refs: Extract<FinishedTask["outcome"], { state: "done" }>["refs"] };

export function packTasks(tasks: readonly SandboxTask[]): TaskPack {
  const extras: Placed<Pick<SandboxTask, "resume" | "call">>[] = [];
  // Bytes are views of their frame, and a clone would copy the whole frame, so the pack gets copies.
  for (let at = 0; at < tasks.length; at++) {
    const { resume, call } = tasks[at]!;
    if (resume || call)
      extras.push({
        at,
        ...(resume && { resume: new Uint8Array(resume) }),
        ...(call && { call: { ...call, value: new Uint8Array(call.value) } }),
      });
  }
  return {
    indexes: tasks.map(({ index }) => index),
    attempts: tasks.map(({ attempt }) => attempt),
    ...packValues(tasks.map(({ input }) => input)),
    ...(extras.length > 0 && { extras }),
  };
}

/** The tasks of a pack. Inputs are views of the pack. */
export function unpackTasks({ indexes, attempts, extras = [], ...values }: TaskPack): SandboxTask[] {
  const inputs = unpackValues(values);
  const tasks = indexes.map((index, i): SandboxTask => ({ index, attempt: attempts[i]!, input: inputs[i]! }));
  for (const { at, ...extra } of extras) tasks[at] = { ...tasks[at]!, ...extra };
  return tasks;
}
