import { PlatformError } from "../shared/errors.ts";
import type { TaskFailure } from "../shared/wire/rest/failures.ts";

/** The final failure of a task, as the kernel threw it: `stack` is the kernel's own. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  /** Position of the task in its job. */
  readonly index: number;
  /** `error`: the kernel threw; the other kinds say how the kernel was ended. */
  readonly kind: TaskFailure["kind"];
  /** Attempts that were made. */
  readonly attempts: number;
  /** The client of the last attempt. */
  readonly client: string | undefined;

  constructor(failure: TaskFailure) {
    super(failure.message + hintFor(failure));
    this.index = failure.index;
    this.kind = failure.kind;
    this.attempts = failure.attempts;
    this.client = failure.client;
    // Without a stack of the kernel's, frames of this SDK would point at the wrong program.
    this.stack = failure.stack ?? `${this.name}: ${this.message}`;
  }
}

/** A function kernel travels as its source, without the variables of its closure, and the message says so. */
function hintFor(failure: TaskFailure): string {
  const name = /^(?:The kernel does not load: )?(?:ReferenceError: )?([\w$]+) is not defined/.exec(
    failure.message,
  )?.[1];
  if (name === undefined) return "";
  return (
    ` (a kernel runs on another machine and sees only its input and ctx, not the variables and imports around it: ` +
    `pass ${name} in the input, define it inside the kernel, or put the kernel into a module of its own and use kernelModule)`
  );
}

/** Tasks of an awaited job failed. Every other task was computed; `job.settled()` gives those results. */
export class TaskFailedError extends PlatformError {
  override readonly name: string = "TaskFailedError";
  /** Every failed task, by index; of a reduction the first 20. */
  readonly failures: readonly TaskError[];
  /** Number of tasks of the job. */
  readonly total: number;

  /** @param failed - number of failed tasks, where `failures` has only the first of them */
  constructor(failures: readonly TaskError[], total: number, failed: number = failures.length) {
    super("TASK_FAILED", describe(failures, total, failed), failures[0]);
    this.failures = failures;
    this.total = total;
  }
}

function describe(failures: readonly TaskError[], total: number, failed: number): string {
  const shown = failures.slice(0, 3).map(describeOne);
  if (failed > shown.length) shown.push(`  … and ${failed - shown.length} more`);
  return [`${failed} of ${total} tasks failed.`, ...shown].join("\n");
}

function describeOne(error: TaskError): string {
  const where = error.client ? `, last on ${error.client}` : "";
  const attempts = `${error.attempts} ${error.attempts === 1 ? "attempt" : "attempts"}`;
  const frames = error.stack
    ?.split("\n")
    .filter((line) => /^\s*at /.test(line))
    .slice(0, 5)
    .map((line) => `    ${line.trim()}`);
  return [
    `  task ${error.index} (${error.kind}, ${attempts}${where}): ${error.message}`,
    ...(frames ?? []),
  ].join("\n");
}
