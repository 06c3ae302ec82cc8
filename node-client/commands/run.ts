import { spawn } from "node:child_process";
import { closeSync, openSync, statSync } from "node:fs";
import { constants } from "node:os";
import { messageOf } from "../../shared/errors.ts";
import { guardAgainstOrphaning } from "../sandbox/orphan-guard.ts";
import type { AllowedCommand } from "./allowed.ts";
import { killTree, processTree, proportionalBytes, residentBytes } from "./process-tree.ts";
import type { RunDirectory } from "./run-directory.ts";

/** Period of looks at memory, processes and disk. */
const lookEveryMs = 250;
/** Time that a system may take to reap a killed process. */
const reapMs = 10_000;

interface RunOptions {
  readonly allowed: AllowedCommand;
  readonly directory: RunDirectory;
  /** Program and arguments that isolate the command; empty without isolation. */
  readonly launcher: readonly string[];
  /** Directories as the command sees them. */
  readonly work: string;
  readonly temporary: string;
  readonly args: readonly string[];
  readonly memoryMb: number;
  readonly niceness: number;
  /** Bytes of the files that the command is given. */
  readonly givenBytes: number;
  readonly signal: AbortSignal;
}

interface RunEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

/** A running command. */
export interface Run {
  /** Rejects with the limit that the command exceeded, with the reason of the abort, or when it does not start. */
  readonly ended: Promise<RunEnd>;
  /** Ends the command and all that it started, at once. */
  kill(): void;
}

/** Environment variable by which all processes of a run are found. */
const markName = "MANYHANDS_RUN";

/**
 * Starts a command as the leader of a group of its own; no shell sees its arguments.
 * @throws the reason of an abort that came before
 */
export function startRun(options: RunOptions): Run {
  const { allowed, directory, launcher, args, signal } = options;
  signal.throwIfAborted();
  const mark = `${markName}=${directory.root}`;
  const [program = allowed.path, ...rest] = [...limited(options), ...launcher, allowed.path, ...args];
  const streams = [
    openSync(directory.stream("stdin"), "r"),
    openSync(directory.stream("stdout"), "wx", 0o600),
    openSync(directory.stream("stderr"), "wx", 0o600),
  ];
  const child = (() => {
    try {
      return spawn(program, rest, {
        cwd: directory.work,
        env: environment(options),
        stdio: streams,
        detached: true,
        windowsHide: true,
      });
    } finally {
      for (const stream of streams) closeSync(stream);
    }
  })();
  const pid = child.pid ?? 0;
  const isIsolated = launcher.length > 0;
  // Bubblewrap ends with this process only once it has asked the system to, which takes it some milliseconds.
  guardAgainstOrphaning(child, mark);
  const kill = (): void => {
    if (pid > 0) killTree(pid, mark);
  };
  const { promise, resolve, reject } = Promise.withResolvers<RunEnd>();
  let verdict: Error | undefined;
  const end = (error: Error): void => {
    if (verdict) return;
    verdict = error;
    kill();
    // The exit follows at once, but for a process that the system cannot end.
    setTimeout(() => reject(error), reapMs).unref();
  };
  const aborted = (): void => end(signal.reason instanceof Error ? signal.reason : new Error("ended"));
  signal.addEventListener("abort", aborted, { once: true });
  const exceeded = (what: string): Error => new Error(`${allowed.name} ${what}.`);
  const stopWatching = watch(pid, options, (what) => end(exceeded(what)));
  const seconds = allowed.seconds ?? Infinity;
  const tooLong = (): void => end(exceeded(`ran for more than ${seconds} s, which the client allows`));
  const deadline = seconds < Infinity ? setTimeout(tooLong, seconds * 1000) : undefined;
  const over = (): void => {
    signal.removeEventListener("abort", aborted);
    clearTimeout(deadline);
    stopWatching();
  };
  child.once("error", (error) => {
    over();
    reject(new Error(`${allowed.name} does not start: ${messageOf(error)}.`, { cause: error }));
  });
  const endAfterExit = async (code: number | null, killed: NodeJS.Signals | null): Promise<RunEnd> => {
    over();
    // Processes that a command leaves behind end with it.
    kill();
    if (verdict) throw verdict;
    // A quick command ends before the first look.
    const what = await excessOnDisk(options);
    if (what !== undefined) throw exceeded(what);
    return endOf(code, killed, isIsolated);
  };
  child.once("exit", (code, killed) => resolve(endAfterExit(code, killed)));
  return { ended: promise, kill };
}

/** Bubblewrap tells a signal as a shell does: 128 and its number. */
function endOf(code: number | null, killed: NodeJS.Signals | null, isIsolated: boolean): RunEnd {
  const told = isIsolated && code !== null && code > 128 ? signalOf(code - 128) : undefined;
  const signal = killed ?? told;
  return { exitCode: signal === undefined ? (code ?? undefined) : undefined, signal };
}

function signalOf(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}

function environment({ allowed, directory, work, temporary }: RunOptions): Record<string, string> {
  const threads = String(allowed.threads);
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: temporary,
    TMPDIR: temporary,
    PWD: work,
    LANG: "C.UTF-8",
    TZ: "UTC",
    OMP_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
    MKL_NUM_THREADS: threads,
    ...allowed.env,
    [markName]: directory.root,
  };
}

/**
 * Launchers of a low priority and, on Linux, of limits for the time between two looks: twice the memory, so that the look acts first, and no
 * file larger than all output may be.
 */
function limited({ allowed, memoryMb, niceness }: RunOptions): string[] {
  const nice = process.platform === "win32" ? [] : ["nice", "-n", String(niceness)];
  if (process.platform !== "linux") return nice;
  const bytes = (mb: number): number => mb * 2 ** 20;
  return [
    ...nice,
    "prlimit",
    "--core=0",
    `--data=${bytes(2 * memoryMb)}`,
    `--fsize=${bytes(allowed.outputMb)}`,
  ];
}

/** Looks at what a run takes. @returns a function that ends the looks */
function watch(pid: number, options: RunOptions, exceeded: (what: string) => void): () => void {
  const { allowed, memoryMb, launcher } = options;
  // Bubblewrap is two processes itself.
  const mostProcesses = allowed.processes + (launcher.length > 0 ? 2 : 0);
  const mostBytes = memoryMb * 2 ** 20;
  let isLooking = false;
  const look = async (): Promise<void> => {
    const tree = process.platform === "linux" ? processTree(pid) : [];
    if (tree.length > mostProcesses) return exceeded(`started more than ${allowed.processes} processes`);
    if (residentBytes(tree) > mostBytes && proportionalBytes(tree) > mostBytes)
      return exceeded(`took more than ${memoryMb} MiB of memory with all that it started`);
    const what = await excessOnDisk(options);
    if (what !== undefined) exceeded(what);
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      // The run has ended meanwhile.
      .catch(() => undefined)
      .finally(() => (isLooking = false));
  }, lookEveryMs);
  return () => clearInterval(timer);
}

/** A bound on what a run writes that it exceeds; undefined when it keeps them. */
async function excessOnDisk({ allowed, directory, givenBytes }: RunOptions): Promise<string | undefined> {
  if (statSync(directory.stream("stdout")).size > allowed.stdoutMb * 2 ** 20)
    return `wrote more than ${allowed.stdoutMb} MiB to standard output`;
  if ((await directory.size()) - givenBytes > allowed.outputMb * 2 ** 20)
    return `left more than ${allowed.outputMb} MiB on disk`;
  return undefined;
}
