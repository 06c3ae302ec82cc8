import { writeSync } from "node:fs";
import { styleText } from "node:util";
import { Command } from "commander";
import { pino, type Logger } from "pino";
import { PlatformError } from "../shared/errors.ts";
import type { ClientProgram, CustomerCode, ServerOptions } from "./options.ts";
import { addServerFlags, readServerFlags } from "./server-flags.ts";
import { urlForOthers } from "./reachable-urls.ts";
import { startServer, type RunningServer } from "./server.ts";

interface ServerParts {
  readonly clientProgram?: ClientProgram;
  readonly customerCode?: CustomerCode;
}

/** `manyhands server`: every flag has an environment variable, shown by --help. */
export function serverCommand(parts: ServerParts = {}): Command {
  const command = new Command("server").description(
    "Start a server: keeps jobs and results, hands tasks to clients.",
  );
  addServerFlags(command);
  command.action(async () => {
    const { options, json } = readServerFlags(command);
    process.exitCode = await runServer(options, json, parts);
  });
  return command;
}

/** Starts a server and stops it on SIGTERM or SIGINT. @returns the exit code */
async function runServer(options: ServerOptions, json: boolean, parts: ServerParts): Promise<number> {
  const log = makeLogger(options.logLevel, json);
  // The signals are listened for from the first moment: a service manager may change its mind while the server starts.
  const stopRequested = new Promise<void>((resolve) => {
    // A signal may come twice: a launcher passes on a signal that a service manager has sent to all processes of a group.
    process.on("SIGTERM", () => resolve());
    process.once("SIGINT", resolve);
  });
  let server: RunningServer;
  try {
    server = await startServer({ ...options, ...parts, log });
  } catch (error) {
    const refusal = PlatformError.from(error);
    if (refusal.code === "INTERNAL") throw error;
    tell(refusal);
    return 2;
  }
  announce(server, options, json);
  const refusal = await Promise.race([stopRequested, server.outdated]);
  if (refusal) tell(refusal);
  // A second signal ends the process at once: acknowledged work is on disk either way.
  process.once("SIGINT", () => process.exit(130));
  await server.close();
  // A service manager starts the server again, of the newer version if that is installed.
  return refusal ? 1 : 0;
}

function tell({ message, remedy }: PlatformError): void {
  process.stderr.write(`manyhands server: ${message} ${remedy}\n`);
}

function announce(server: RunningServer, options: ServerOptions, json: boolean): void {
  const { url, volunteerUrls, adminUrl, tokenFile, tokenIsFound } = server;
  if (json) {
    process.stdout.write(`${JSON.stringify({ url, volunteerUrls, adminUrl, tokenFile })}\n`);
    return;
  }
  const volunteers = {
    open: "anyone may compute",
    invite: "by invitation: manyhands invite",
    off: "no volunteers",
  }[options.volunteers];
  const lines = [
    "",
    `  Manyhands is ready.`,
    "",
    `  Volunteers  ${volunteerUrls.join("\n              ")}   (${volunteers})`,
    `  Admin       ${adminUrl}`,
    `  Token       in ${tokenFile}; ${tokenIsFound ? "programs on this machine find it by themselves" : "programs take it as MANYHANDS_TOKEN"}`,
    ...hint(volunteerUrls, options),
    "",
    "",
  ];
  process.stdout.write(lines.join("\n"));
}

/** A hint for people whose server no other machine can reach. */
function hint(volunteerUrls: readonly string[], { trustProxy, publicUrl }: ServerOptions): string[] {
  if (publicUrl !== undefined || urlForOthers(volunteerUrls) !== undefined) return [];
  return trustProxy
    ? ["", "  These are the addresses behind the proxy. Name its own with --public-url https://…"]
    : ["", "  Only this machine can reach it. Let others in with --host 0.0.0.0"];
}

/** Writes a line to standard error, or loses it: pino's own destination tries for ever when the disk of the log is full. */
function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // The next line may find room.
  }
}

/** A logger to standard error: lines for people on a terminal, JSON for programs and log collectors. */
function makeLogger(level: string, json: boolean): Logger {
  const { stderr } = process;
  if (json || !stderr.isTTY) return pino({ level }, { write: writeLine });
  // The colours are those of standard error, with NO_COLOR and FORCE_COLOR: pino-pretty would ask standard output.
  const colorize = styleText("red", "x", { stream: stderr }) !== "x";
  return pino({
    level,
    transport: { target: "pino-pretty", options: { destination: 2, ignore: "pid,hostname", colorize } },
  });
}
