import { packValues, unpackValues, type ValuePack } from "../value-pack.ts";
import type { FinishedTask, SandboxTask } from "./ports.ts";

/**
 * Tasks and results as they cross into a sandbox and out of it: columns, because what crosses is cloned there, and a
 * clone of 500 objects with a byte array each costs ten times that of four arrays.
 */

/** The tasks of a bundle; `sizes` and `bytes` are their inputs. */
export interface TaskPack extends ValuePack {
  readonly indexes: readonly number[];
  readonly attempts: readonly number[];
  /** Checkpoints of the few that go on from one; `at` is the task's place. */
  readonly resumes?: readonly { readonly at: number; readonly state: Uint8Array }[];
}

/** Finished tasks, in order; `sizes` and `bytes` are their outputs, empty for those that failed. */
export interface FinishedPack extends ValuePack {
  readonly indexes: readonly number[];
  readonly elapsedMs: readonly number[];
  /** Of the few that failed or whose output names blobs; `at` is the task's place. */
  readonly extras?: readonly FinishedExtra[];
}

export type FinishedExtra = { readonly at: number } & (
  | { readonly failure: Extract<FinishedTask["outcome"], { state: "failed" }>["failure"] }
  | { readonly refs: Extract<FinishedTask["outcome"], { state: "done" }>["refs"] }
);

export function packTasks(tasks: readonly SandboxTask[]): TaskPack {
  const resumes: { at: number; state: Uint8Array }[] = [];
  // A copy: a clone takes the whole buffer behind a view along, and a checkpoint is a view of the frame it came in.
  for (let at = 0; at < tasks.length; at++) {
    const { resume } = tasks[at]!;
    if (resume) resumes.push({ at, state: new Uint8Array(resume) });
  }
  return {
    indexes: tasks.map(({ index }) => index),
    attempts: tasks.map(({ attempt }) => attempt),
    ...packValues(tasks.map(({ input }) => input)),
    ...(resumes.length > 0 && { resumes }),
  };
}

/** Inputs are views of the pack. */
export function unpackTasks({ indexes, attempts, resumes = [], ...pack }: TaskPack): SandboxTask[] {
  const inputs = unpackValues(pack);
  const tasks = indexes.map((index, i): SandboxTask => ({ index, attempt: attempts[i]!, input: inputs[i]! }));
  for (const { at, state } of resumes) tasks[at] = { ...tasks[at]!, resume: state };
  return tasks;
}
