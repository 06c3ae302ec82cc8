import { writeSync } from "node:fs";
import { PlatformError } from "../../shared/errors.ts";
import { TaskError } from "../task-error.ts";
import { printable } from "./output.ts";
import { describeFailure } from "./result-writer.ts";

/** Folders of Manyhands itself; programs may stand beside them. */
const own = ["customer", "parallel", "shared", "server", "node-client"].map(
  (folder) => new URL(`../../${folder}/`, import.meta.url).href,
);

/**
 * Ends a program at an uncaught refusal with the refusal's message and remedy, where Node would show the inside of the SDK. Node reports
 * every other error, and all errors of a program with a handler of its own or with MANYHANDS_DEBUG.
 */
export function tellUncaughtRefusals(): void {
  process.on("uncaughtExceptionMonitor", (error: unknown) => {
    if (process.listenerCount("uncaughtException") > 0 || process.env["MANYHANDS_DEBUG"]) return;
    const text = textOf(error);
    if (text === undefined) return;
    writeSync(process.stderr.fd, `${text}\n`);
    process.exit(1);
  });
}

function textOf(error: unknown): string | undefined {
  if (error instanceof TaskError) return describeFailure(error);
  if (!(error instanceof PlatformError)) return undefined;
  const lines = [error.message, ...framesOf(error), error.remedy];
  return printable(lines.join("\n"));
}

/** The program's own part of a stack: where it called the SDK. */
function framesOf({ message, stack = "" }: PlatformError): string[] {
  // The stack begins with the message, which may quote the stack of a kernel.
  const frames = stack.slice(stack.indexOf(message) + message.length).split("\n");
  return frames.filter(
    (frame) => /^\s*at .*file:/.test(frame) && !own.some((folder) => frame.includes(folder)),
  );
}
