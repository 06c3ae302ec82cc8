import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { boundToUs } from "../../harness/fresh-process.ts";

const started = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});

/** A process that a run started; it ends with the run, however that ends. */
export interface Child {
  readonly process: ChildProcess;
  /** The next line of its standard output. */
  readonly line: () => Promise<string>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
}

/** Starts a program. What it says on standard error goes to ours. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Child {
  const [command, commandArgs] = boundToUs(program, args);
  const child = spawn(command, commandArgs, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.add(child);
  const exited = once(child, "exit").then(() => void started.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${args.join(" ")} ended before it said that it is ready`);
    return value;
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  return { process: child, line, kill };
}

/** Starts a script of bench/runs with the Node of this process. */
export function startScript(
  script: string,
  args: readonly string[] = [],
  env?: Record<string, string>,
): Child {
  return startProgram(process.execPath, [join(import.meta.dirname, "..", script), ...args], env);
}
