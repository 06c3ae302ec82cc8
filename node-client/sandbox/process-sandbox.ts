import { spawn, type ChildProcess } from "node:child_process";
import { setPriority } from "node:os";
import * as comlink from "comlink";
import type { Sandbox, SandboxHost } from "../../shared/client/ports.ts";
import { outgrown } from "../../shared/client/sandbox/outgrown.ts";
import { childCommand, diesWithParent, processOverheadMb } from "./child-command.ts";
import { frameEndpoint, type FrameEndpoint, type ProcessRunner } from "./frames.ts";
import { LinkedFiles, type LinkedCache } from "./linked-files.ts";
import { SandboxChannel } from "./sandbox-channel.ts";
import { watchMemory } from "./memory-watch.ts";
import { guardHost } from "./guarded-host.ts";
import { isHostCall, isRelease, isRunnerAnswer } from "./message-guard.ts";
import { guardAgainstOrphaning } from "./orphan-guard.ts";
import { PendingCalls } from "./pending-calls.ts";

type Ended = Awaited<Sandbox["ended"]>;

/** Deadline for the start of a process. */
const startDeadlineMs = 30_000;
const keptErrorOutput = 4096;
const keptReason = 2000;

/** Living sandbox processes, which are killed when this process exits. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** Whether idle processes are stopped; Windows has no SIGSTOP. */
export const stopsIdle = process.platform !== "win32";

interface StartOptions {
  /** Program of the process. */
  readonly code: string;
  readonly memoryMb: number;
  readonly niceness: number;
  /** Cache whose files the process may read when its kernel asks for them. */
  readonly cache?: LinkedCache | undefined;
}

/**
 * Starts a sandbox process and resolves when it is ready for a kernel.
 * @throws Error when the process does not start
 */
export async function startProcessSandbox(host: SandboxHost, options: StartOptions): Promise<Sandbox> {
  const sandbox = new ProcessSandbox(host, options);
  await sandbox.ready;
  return sandbox;
}

class ProcessSandbox implements Sandbox {
  readonly ended: Promise<Ended>;
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #runner: comlink.Remote<ProcessRunner>;
  readonly #host: SandboxHost;
  readonly #files: LinkedFiles | undefined;
  readonly #calls = new PendingCalls();
  readonly #channel: SandboxChannel;
  /** The reason why this side ended the process; without a verdict the process ended by itself. */
  #verdict: Ended | undefined;
  #errorOutput = "";
  #stopped = false;
  #becomeReady: () => void = () => undefined;

  constructor(host: SandboxHost, { code, memoryMb, niceness, cache }: StartOptions) {
    this.#files = cache && openFiles(cache, host);
    const { program, parameters } = childCommand(memoryMb, this.#files?.directory);
    this.#child = spawn(program, parameters, {
      // The environment is empty, because the client's has tokens, paths and names. The fixed time zone hides the machine's.
      env: { TZ: "UTC" },
      cwd: "/",
      stdio: ["pipe", "ignore", "pipe", "ipc", "pipe"],
      serialization: "advanced",
      windowsHide: true,
    });
    living.add(this.#child);
    // An error here means that the process did not start, which `ended` reports.
    this.#child.stdin?.on("error", () => undefined).end(code);
    if (!diesWithParent()) guardAgainstOrphaning(this.#child);
    this.#channel = new SandboxChannel(this.#child, {
      // A process with more than that would have been ended.
      mostBytes: (memoryMb + processOverheadMb) * 2 ** 20,
      received: (kind, message) => this.#receive(kind, message, runnerChannel, hostChannel),
      violated: (what) => this.#violated(what),
    });
    const runnerChannel = frameEndpoint("runner", this.#channel);
    const hostChannel = frameEndpoint("host", this.#channel);
    this.#runner = comlink.wrap<ProcessRunner>(runnerChannel.endpoint);
    this.#host = guardHost(host, (what) => this.#violated(what), this.#files);
    comlink.expose(this.#host, hostChannel.endpoint);
    this.ended = this.#watchEnd();
    this.ready = this.#watchStart(niceness);
    const stopWatching = watchMemory({
      pid: this.#child.pid ?? 0,
      limitMb: memoryMb + processOverheadMb,
      isBusy: () => this.#calls.size > 0,
      exceeded: (residentMb) => this.#exceeded(residentMb, memoryMb),
    });
    void this.ended.then(({ reason = "The sandbox was ended." }) => {
      stopWatching();
      this.#files?.end();
      this.#calls.die(new Error(reason));
      // comlink keeps the endpoint of each proxy that is in use, and the endpoint has this sandbox.
      this.#runner[comlink.releaseProxy]();
    });
  }

  load(...call: Parameters<Sandbox["load"]>): Promise<void> {
    return this.#awake(() => this.#runner.load(...call));
  }

  async run(bundle: Parameters<Sandbox["run"]>[0]): Promise<void> {
    const rest = await this.#awake(() => this.#runner.run(bundle));
    if (rest) this.#host.report(rest);
  }

  /** Stops the process between calls, so that no code that a kernel left behind runs ([KERNEL-6]). */
  async #awake<T>(call: () => Promise<T>): Promise<T> {
    if (this.#stopped) this.#child.kill("SIGCONT");
    this.#stopped = false;
    try {
      return await this.#calls.call(call);
    } finally {
      // A call that follows at once is under way by then.
      setImmediate(() => this.#stop());
    }
  }

  #stop(): void {
    if (this.#verdict || this.#calls.size > 0) return;
    this.#files?.clear();
    if (stopsIdle && !this.#stopped) this.#stopped = this.#child.kill("SIGSTOP");
  }

  terminate(): void {
    this.#kill({ kind: "crash", reason: undefined });
  }

  #kill(verdict: Ended): void {
    this.#verdict ??= verdict;
    this.#channel.close();
    this.#child.kill("SIGKILL");
  }

  #exceeded(residentMb: number, memoryMb: number): void {
    const usedMb = Math.round(residentMb - processOverheadMb);
    this.#kill({ kind: "memory", reason: outgrown(usedMb, memoryMb) });
  }

  #violated(what: string): void {
    this.#kill({ kind: "crash", reason: `The kernel tampered with its sandbox: ${what}.` });
  }

  #receive(kind: string, message: unknown, runner: FrameEndpoint, host: FrameEndpoint): void {
    if (kind === "ready") return this.#becomeReady();
    if (kind === "fatal")
      return this.#kill({
        kind: "crash",
        reason: `Uncaught in the kernel: ${String(message).slice(0, keptReason)}`,
      });
    if (isRelease(message)) return;
    if (kind === "runner" && isRunnerAnswer(message)) return runner.deliver(message);
    if (kind === "host" && isHostCall(message)) return host.deliver(message);
    this.#violated(`a ${kind.slice(0, 20)} message that the runner does not send`);
  }

  #watchStart(niceness: number): Promise<void> {
    const started = new Promise<void>((resolve) => (this.#becomeReady = resolve));
    const deadline = setTimeout(
      () =>
        this.#kill({ kind: "crash", reason: `The sandbox did not start in ${startDeadlineMs / 1000} s.` }),
      startDeadlineMs,
    );
    this.#child.once("spawn", () => lowerPriority(this.#child.pid, niceness));
    return this.#calls.call(() => started).finally(() => clearTimeout(deadline));
  }

  #watchEnd(): Promise<Ended> {
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-keptErrorOutput);
    });
    return new Promise((resolve) => {
      const end = (own: Ended): void => {
        living.delete(this.#child);
        resolve(this.#verdict ?? own);
      };
      this.#child.once("error", (error) =>
        end({ kind: "crash", reason: `The sandbox did not start: ${error.message}` }),
      );
      // `close` comes after the end of stderr, which has V8's reason for giving up.
      this.#child.once("close", (code, signal) => end(judgeExit(code, signal, this.#errorOutput)));
    });
  }
}

/** Files of a sandbox; undefined where they cannot be made, and bytes cross on the pipe. */
function openFiles(cache: LinkedCache, host: SandboxHost): LinkedFiles | undefined {
  try {
    return new LinkedFiles(cache, (name, range) => host.data(name, range));
  } catch {
    return undefined;
  }
}

function judgeExit(code: number | null, signal: NodeJS.Signals | null, errorOutput: string): Ended {
  if (/heap out of memory|Fatal process out of memory|Allocation failed/i.test(errorOutput))
    return { kind: "memory", reason: "The kernel filled its JavaScript heap (memoryMb)." };
  const how = signal ? `signal ${signal}` : `exit code ${code}`;
  const said = errorOutput.trim().split("\n").slice(0, 5).join(" ").slice(0, 500);
  return { kind: "crash", reason: `The sandbox process ended with ${how}${said ? `: ${said}` : ""}.` };
}

/** Lowers the priority of kernels below other programs of the machine, where permitted. */
function lowerPriority(pid: number | undefined, niceness: number): void {
  if (pid === undefined || niceness === 0) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // Without the permission, or the process, the priority stays.
  }
}
