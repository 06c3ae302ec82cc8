import * as v from "valibot";
import type { ClientPorts, CommandDemand, Commands, SandboxCommands } from "../../shared/client/ports.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { matches } from "../../shared/path-pattern.ts";
import {
  commandCallSchema,
  type CommandCall,
  type CommandEnd,
  type CommandReply,
} from "../../shared/wire/command.ts";
import type { AllowedCommand } from "./allowed.ts";
import type { CommandData, CommandParts } from "./command-parts.ts";
import { isolated, isolatedWork, isolationLacks } from "./isolation.ts";
import { RunDirectory, removeAbandonedRuns, type LeftFile } from "./run-directory.ts";
import { startRun, type Run } from "./run.ts";

/** Larger files that a command leaves go to the server, and the kernel gets references to them. */
const inlineBytes = 64 * 1024;
/** Names of files in a message. */
const namedFiles = 20;
/** Most files that are picked up: references of one output are bounded. */
const maxPicked = 1024;

interface CommandsOptions {
  /** Scheduling priority of commands, 0 … 19. */
  readonly niceness: number;
  readonly log: ClientPorts["log"];
}

/** Commands of this machine that its owner allows (SPEC.md, "Commands"). */
export function openCommands(
  allowed: readonly AllowedCommand[],
  options: CommandsOptions,
): Commands & { close(): void } {
  return new OpenCommands(allowed, options);
}

class OpenCommands implements Commands {
  readonly names: readonly string[];
  readonly #allowed: ReadonlyMap<string, AllowedCommand>;
  readonly #options: CommandsOptions;
  readonly #isIsolated: boolean;
  readonly #living = new Map<RunDirectory, Run | undefined>();
  readonly #exiting = (): void => this.close();

  constructor(allowed: readonly AllowedCommand[], options: CommandsOptions) {
    this.names = allowed.map(({ name }) => name);
    this.#allowed = new Map(allowed.map((each) => [each.name, each]));
    this.#options = options;
    const lacks = isolationLacks();
    this.#isIsolated = lacks === undefined;
    const how =
      lacks === undefined ? "isolated by bubblewrap" : "with the rights of this user, and the network";
    options.log("info", `Commands that customers may run here, ${how}: ${this.names.join(", ")}.`);
    if (lacks !== undefined) options.log("warn", `Commands are not isolated, because ${lacks}.`);
    removeAbandonedRuns();
    process.on("exit", this.#exiting);
  }

  forSandbox({ command: name, memoryMb }: CommandDemand, data: CommandData): SandboxCommands {
    const over = new AbortController();
    const parts: CommandParts = { ...data, memoryMb, signal: over.signal };
    let isRunning = false;
    const run = async (call: unknown): Promise<CommandReply> => {
      if (name === undefined)
        throw new PlatformError("BAD_REQUEST", "The job requires no command, so its kernel runs none.");
      const allowed = this.#allowed.get(name);
      if (!allowed)
        throw new PlatformError(
          "BAD_REQUEST",
          `The owner of this client does not allow the command ${name}.`,
        );
      if (isRunning)
        throw new PlatformError("BAD_REQUEST", "The kernel runs a command already; await its end.");
      const checked = checkCall(call);
      isRunning = true;
      return this.#run(allowed, checked, parts).finally(() => (isRunning = false));
    };
    return { run, end: () => over.abort(new Error("The task has ended.")) };
  }

  async #run(allowed: AllowedCommand, call: CommandCall, parts: CommandParts): Promise<CommandReply> {
    parts.signal.throwIfAborted();
    const directory = await RunDirectory.make();
    this.#living.set(directory, undefined);
    try {
      const missing = await placeFiles(directory, call, parts);
      if (missing !== undefined) return { missing };
      return await this.#start(allowed, directory, call, parts);
    } finally {
      this.#living.delete(directory);
      directory.remove();
    }
  }

  async #start(
    allowed: AllowedCommand,
    directory: RunDirectory,
    call: CommandCall,
    parts: CommandParts,
  ): Promise<CommandReply> {
    const run = startRun({
      allowed,
      directory,
      launcher: this.#isIsolated ? isolated(allowed, directory) : [],
      temporary: this.#isIsolated ? "/tmp" : directory.temporary,
      work: this.#isIsolated ? isolatedWork : directory.work,
      args: [...allowed.args, ...call.args],
      memoryMb: Math.min(parts.memoryMb, allowed.memoryMb ?? Infinity),
      niceness: this.#options.niceness,
      givenBytes: await directory.size(),
      signal: parts.signal,
    });
    this.#living.set(directory, run);
    const { exitCode, signal } = await run.ended;
    const left = await directory.files();
    const isPicked = ({ path }: LeftFile): boolean => call.outputs.some((pattern) => matches(path, pattern));
    const picked = left.filter(isPicked);
    if (picked.length > maxPicked)
      throw new Error(
        `${allowed.name} left ${picked.length} files that match; at most ${maxPicked} are picked up.`,
      );
    const files: Record<string, CommandEnd["files"][string]> = {};
    for (const { path } of picked) {
      parts.signal.throwIfAborted();
      const bytes = await directory.read(path);
      files[path] = bytes.length <= inlineBytes ? bytes : await parts.put(bytes);
    }
    const others = left.filter((file) => !isPicked(file)).map(({ path }) => path);
    return {
      exitCode,
      signal,
      stdout: await directory.stdout(),
      stderr: await directory.stderr(),
      files,
      left: others.slice(0, namedFiles),
    };
  }

  /** Ends every command, and removes what they left. */
  close(): void {
    process.off("exit", this.#exiting);
    for (const [directory, run] of this.#living) {
      run?.kill();
      directory.remove();
    }
    this.#living.clear();
  }
}

function checkCall(call: unknown): CommandCall {
  const parsed = v.safeParse(commandCallSchema, call);
  if (parsed.success) return parsed.output;
  const [{ message, path = [] }] = parsed.issues;
  const place = path.map(({ key }) => String(key)).join(".");
  throw new PlatformError("BAD_REQUEST", `The call of the command${place && ` (${place})`}: ${message}.`);
}

/** @returns which data could not be had */
async function placeFiles(
  directory: RunDirectory,
  { files, stdin = new Uint8Array() }: CommandCall,
  parts: CommandParts,
): Promise<string | undefined> {
  let missing: string | undefined;
  const data: CommandParts["data"] = async (name, range) => {
    try {
      return await parts.data(name, range);
    } catch (error) {
      missing = `${name.sha256.slice(0, 12)}…: ${messageOf(error)}`;
      throw error;
    }
  };
  try {
    await directory.place(directory.stream("stdin"), stdin, { ...parts, data });
    for (const [path, content] of Object.entries(files))
      await directory.place(`${directory.work}/${path}`, content, { ...parts, data });
    return undefined;
  } catch (error) {
    if (missing !== undefined) return missing;
    throw new Error(`The files of the command cannot be placed: ${messageOf(error)}.`, { cause: error });
  }
}
