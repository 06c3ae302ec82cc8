import { CommanderError } from "commander";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import { TaskError } from "../task-error.ts";
import { printable } from "./output.ts";

/** The meaning of a command's exit status; part of the interface, and documented in --help. */
export const exitCodes = {
  ok: 0,
  /** A task or the job failed. */
  failed: 1,
  /** Wrong usage, or a refusal of the server. */
  refused: 2,
  /** The server could not be reached. */
  unreachable: 3,
} as const;

/** The exit statuses, for the end of --help. */
export const exitCodesHelp = `
Exit status:
  0  all is well
  1  a task failed, or the job was cancelled, quarantined or blocked
  2  wrong usage, or the server refused
  3  the server could not be reached`;

/** The exit status of an error. */
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

/** The message of an error for standard error; undefined when Commander has printed it already. */
export function describeError(error: unknown, json: boolean): string | undefined {
  if (error instanceof CommanderError) return undefined;
  const refusal = refusalOf(error);
  if (json) return JSON.stringify({ error: refusal.toBody() });
  const stack = process.env["MANYHANDS_DEBUG"] && error instanceof Error ? `\n${error.stack}` : "";
  return printable(`manyhands: ${refusal.message}\n${refusal.remedy}${stack}`);
}

/** A failure of the system (a full disk, a directory in place of a file) names its path; any other error is a defect. */
function refusalOf(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const message = messageOf(error);
  const isOfSystem = error instanceof Error && "syscall" in error && "errno" in error;
  return isOfSystem
    ? new PlatformError("FILE_FAILED", `${message}.`, error)
    : new PlatformError("INTERNAL", message, error, hints.defectHere);
}
