import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { boundToUs } from "../../harness/fresh-process.ts";

const running = new Set<ChildProcess>();
const directories: string[] = [];
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  // Processes die a moment after the signal, and may write until then.
  const retries = { maxRetries: 20, retryDelay: 50 };
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, ...retries });
});

/** A process that a run started; it ends at any end of the run. */
export interface Child {
  readonly pid: number;
  /** The next line of its standard output. @throws Error when it ended without one */
  line(): Promise<string>;
  /** Writes to its standard input. */
  write(text: string): void;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  /** Sends a signal and waits until the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A new empty directory, removed when the run ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "manyhands-bench-"));
  directories.push(directory);
  return directory;
}

/** Starts a program whose standard error is that of the run. */
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
  running.add(child);
  const ended = once(child, "exit").then(() => void running.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid!,
    ended,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${args.join(" ")} ended before it said that it is ready`);
      return value;
    },
    write: (text) => void child.stdin.write(text),
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await ended;
    },
  };
}

/** Starts a script of bench/runs with the Node of this process. */
export function startScript(
  script: string,
  args: readonly string[] = [],
  { nodeFlags = [], env }: { nodeFlags?: readonly string[]; env?: Record<string, string> } = {},
): Child {
  const file = join(import.meta.dirname, "..", script);
  return startProgram(process.execPath, [...nodeFlags, file, ...args], env);
}

/** Node's flags for a CPU profile into a directory, which a process writes when it ends by itself; none without a directory. */
export function cpuProfile(directory: string | undefined): string[] {
  return directory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${directory}`];
}
