import { packValues, unpackValues, type ColumnPack } from "../../wire/column-pack.ts";
import type { FinishedTask, SandboxTask } from "../sandbox-task.ts";

/**
 * Tasks and results as they cross the boundary of a sandbox. A structured clone of 500 objects with a byte array each costs ten
 * times that of four arrays.
 */

/** The tasks of a bundle; values are their inputs. Few tasks resume from a checkpoint. */
export interface TaskPack extends ColumnPack<{ readonly resume: Uint8Array }> {
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
  const extras: { at: number; resume: Uint8Array }[] = [];
  // A checkpoint is a view of its frame, and a clone would copy the whole frame, so the pack gets a copy.
  for (let at = 0; at < tasks.length; at++) {
    const { resume } = tasks[at]!;
    if (resume) extras.push({ at, resume: new Uint8Array(resume) });
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
  for (const { at, resume } of extras) tasks[at] = { ...tasks[at]!, resume };
  return tasks;
}
