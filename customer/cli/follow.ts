import { setTimeout as sleep } from "node:timers/promises";
import type { Value } from "../../shared/wire/codec.ts";
import type { Job } from "../job.ts";
import type { TaskOutcome } from "../outcomes.ts";
import type { TaskError } from "../task-error.ts";
import { exitCodes } from "./exit-codes.ts";
import { writeLine } from "./output.ts";
import { describeFailure, type ResultWriter } from "./result-writer.ts";

const failuresShown = 5;

/** Writes outcomes of a job as they come, then a summary of failures. @returns the exit status */
export async function writeOutcomes(
  job: Job,
  outcomes: AsyncIterable<TaskOutcome<Value>>,
  options: {
    writer: ResultWriter;
    ordered: boolean;
    quiet: boolean;
    /** Whether other commands can still use the job after this one; true when absent. */
    isKept?: boolean;
  },
): Promise<number> {
  /** The first failures only: a job may have a million. */
  const shown: TaskError[] = [];
  let failed = 0;
  const { writer } = options;
  const waiting = new Map<number, TaskOutcome<Value>>();
  let nextIndex = 0;
  try {
    for await (const outcome of outcomes) {
      if (outcome.error && failed++ < failuresShown) shown.push(outcome.error);
      if (!options.ordered) await writer.write(outcome);
      else waiting.set(outcome.index, outcome);
      for (let next = waiting.get(nextIndex); next; next = waiting.get(++nextIndex)) {
        waiting.delete(nextIndex);
        await writer.write(next);
      }
    }
  } finally {
    for (const outcome of [...waiting.values()].sort((a, b) => a.index - b.index))
      await writer.write(outcome);
    await writer.close();
  }
  if (failed === 0) return exitCodes.ok;
  if (!options.quiet) await reportFailures(failed, shown);
  if (!options.quiet && options.isKept !== false)
    await writeLine(`Try them again with \`manyhands requeue ${await job.id}\`.`, process.stderr);
  return exitCodes.failed;
}

async function reportFailures(failed: number, shown: readonly TaskError[]): Promise<void> {
  const { stderr } = process;
  await writeLine(`${failed} ${failed === 1 ? "task" : "tasks"} failed:`, stderr);
  for (const failure of shown) await writeLine(describeFailure(failure), stderr);
}

/** Longest time that an unreachable server delays the end of a program. */
const leavingMs = 5_000;

/** A job, or several of which `id` is the last. */
interface Leavable {
  readonly id: Promise<string>;
  readonly submitted: Promise<void>;
  cancel(): Promise<unknown>;
}

/**
 * On Ctrl-C, leaves the job to the server when it has all its inputs (or a key to go on with), and cancels it otherwise.
 * @returns a function that does the same without Ctrl-C
 */
export function leaveOnInterrupt(job: Leavable, options: { mayGoOn: boolean }): () => Promise<void> {
  let mayGoOn = options.mayGoOn;
  void job.submitted.then(
    () => (mayGoOn = true),
    () => undefined,
  );
  const leave = (): Promise<void> =>
    Promise.race([
      leaveOrCancel(job, mayGoOn).catch(() => undefined),
      sleep(leavingMs, undefined, { ref: false }),
    ]);
  process.once("SIGINT", () => {
    // A second Ctrl-C ends the program at once, as it would without this handler.
    void leave().finally(() => process.exit(130));
  });
  return leave;
}

/** Tells the person about a job with a key, which outlives a submission that failed half-way. */
export async function sayWhatStays(job: Job): Promise<void> {
  const { id, state } = (await job.status().catch(() => undefined)) ?? {};
  if (state !== "open") return;
  process.stderr.write(
    `Job ${id} stays open: the same command with its key and all inputs goes on with it, \`manyhands cancel ${id}\` ends it.\n`,
  );
}

async function leaveOrCancel(job: Leavable, leave: boolean): Promise<void> {
  if (!leave) await job.cancel();
  const id = await job.id;
  process.stderr.write(
    leave
      ? `\nJob ${id} goes on; \`manyhands results ${id} --follow\` shows its results.\n`
      : `\nJob ${id} is cancelled: it did not have all its inputs yet.\n`,
  );
}
