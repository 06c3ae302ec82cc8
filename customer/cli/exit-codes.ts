import { CommanderError } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import { TaskError } from "../task-error.ts";

/** What a command's exit status means; part of the interface, and written in --help. */
export const exitCodes = {
  ok: 0,
  /** A task or the job failed. */
  failed: 1,
  /** Wrong usage, or the server refused. */
  refused: 2,
  /** The server could not be reached. */
  unreachable: 3,
} as const;

/** Exit status for people, at the end of --help. */
export const exitCodesHelp = `
Exit status:
  0  all is well
  1  a task failed, or the job was cancelled, quarantined or blocked
  2  wrong usage, or the server refused
  3  the server could not be reached`;

/** The exit status that stands for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.refused;
  if (error instanceof TaskError) return exitCodes.failed;
  if (!(error instanceof PlatformError)) return exitCodes.refused;
  if (["TASK_FAILED", "JOB_CANCELLED", "JOB_QUARANTINED", "JOB_BLOCKED"].includes(error.code))
    return exitCodes.failed;
  return ["UNREACHABLE", "TIMED_OUT", "SHUTTING_DOWN"].includes(error.code)
    ? exitCodes.unreachable
    : exitCodes.refused;
}

/** What is printed on standard error for an error, or undefined when commander has printed it already. */
export function describeError(error: unknown, json: boolean): string | undefined {
  if (error instanceof CommanderError) return undefined;
  if (json) return JSON.stringify({ error: PlatformError.from(error).toBody() });
  if (error instanceof PlatformError) return `manyhands: ${error.message}\n${error.remedy}`;
  // Of the system (a file that is not there) or a defect: the stack is for whoever asks for it.
  const stack = process.env["MANYHANDS_DEBUG"] && error instanceof Error ? error.stack : undefined;
  return `manyhands: ${stack ?? (error instanceof Error ? error.message : String(error))}`;
}
