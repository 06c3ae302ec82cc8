import { decodeInput, decodeValue, encodeShared, type Value } from "../../wire/codec.ts";
import { messageOf, PlatformError } from "../../errors.ts";
import type { KernelContext } from "../../wire/kernel.ts";
import { keptBytes } from "../../wire/value-encoder.ts";
import type { VerifyingCall } from "../../wire/protocol.ts";
import { limits } from "../../limits.ts";
import type { RunnerHost, RunnerReport, SandboxBundle } from "../ports.ts";
import type { FinishedTask, SandboxTask } from "../sandbox-task.ts";
import type { KernelTimers } from "./kernel-timers.ts";
import { createTaskContext, fetchData } from "./runner-context.ts";
import { describeThrown, isDataFailure } from "./runner-failure.ts";
import { RunnerReporter } from "./runner-reporter.ts";
import { unpackTasks } from "./packs.ts";

/** A kernel. With `call`, which node clients get, it calls a verifying function of its module instead. */
type LoadedKernel = (input: Value, ctx: KernelContext, call: VerifyingCall | undefined) => unknown;

interface KernelRunnerOptions {
  /** Evaluates an ES module from its source bytes (UTF-8) and returns its namespace; see {@link LoadedKernel}. */
  readonly importModule: (source: Uint8Array, sha256: string) => Promise<{ default?: unknown }>;
  readonly host: RunnerHost;
  /** Monotonic clock in milliseconds: `performance.now`, taken before any kernel could replace it. */
  readonly now: () => number;
  readonly timers: Pick<KernelTimers, "begin" | "end">;
}

/** The shell exposes this from inside the sandbox; on the outside it becomes a `Sandbox`. */
export interface KernelRunner {
  /**
   * Loads a kernel; a repeated load has no effect.
   * @throws Error with the module's own message when it does not load or has no default-exported function
   */
  load(kernelSha256: string, source: Uint8Array): Promise<void>;
  /**
   * Runs the tasks of a bundle in order; further bundles wait. Resolves to the report of the tasks since the last report, if
   * any: a separate report and its reply would be two messages more.
   */
  run(bundle: SandboxBundle): Promise<RunnerReport | undefined>;
}

/**
 * Makes the part of Manyhands that lives in the sandbox beside the kernel. The kernel shares this realm, so the outside trusts
 * nothing from here: the core checks every report, and a sandbox never serves two customers or two kernels.
 */
export function createKernelRunner(options: KernelRunnerOptions): KernelRunner {
  const { importModule, now, timers } = options;
  const kernels = new Map<string, Promise<LoadedKernel>>();
  let last: Promise<unknown> = Promise.resolve();

  async function importKernel(sha256: string, source: Uint8Array): Promise<LoadedKernel> {
    const module = await importModule(source, sha256);
    if (typeof module.default !== "function")
      throw new Error(
        `The kernel has no default-exported function (its default export is ${typeof module.default}); expected \`export default (input, ctx) => output\`.`,
      );
    return module.default as LoadedKernel;
  }

  async function runBundle(bundle: SandboxBundle): Promise<RunnerReport | undefined> {
    const loaded = kernels.get(bundle.kernelSha256);
    if (!loaded) throw new Error(`Kernel ${bundle.kernelSha256} was not loaded before its tasks.`);
    const kernel = await loaded;
    const reporter = new RunnerReporter(options.host, now);
    for (const task of unpackTasks(bundle.tasks)) {
      timers.begin();
      const ran = runTask(kernel, bundle.seed, task, options.host, reporter);
      const outcome = ran instanceof Promise ? await ran : ran;
      timers.end();
      reporter.addFinished(task.index, outcome);
    }
    return reporter.takeRest();
  }

  return {
    async load(sha256, source) {
      let loading = kernels.get(sha256);
      if (!loading) kernels.set(sha256, (loading = importKernel(sha256, source)));
      await loading;
    },
    run(bundle) {
      const running = last.then(() => runBundle(bundle));
      last = running.catch(() => undefined);
      return running;
    },
  };
}

type Outcome = FinishedTask["outcome"];

/** Runs a task. Nothing waits for a synchronous kernel, which makes tiny tasks cheap. */
function runTask(
  kernel: LoadedKernel,
  seed: string,
  task: SandboxTask,
  host: RunnerHost,
  reporter: RunnerReporter,
): Outcome | Promise<Outcome> {
  let input: Value | Promise<Value>;
  try {
    input = decodeInput(task.input, (blob) => fetchData(host, blob));
  } catch (error) {
    return noValue(`The input cannot be decoded: ${messageOf(error)}`);
  }
  const context = { task, seed, resume: resumeOf(task), host, reporter };
  if (!(input instanceof Promise)) return callKernel(kernel, input, context);
  return input.then(
    (whole) => callKernel(kernel, whole, context),
    (error: unknown) => failureOf(error, () => {}),
  );
}

function callKernel(
  kernel: LoadedKernel,
  input: Value,
  parts: Parameters<typeof createTaskContext>[0],
): Outcome | Promise<Outcome> {
  const { ctx, end } = createTaskContext(parts);
  try {
    const returned: unknown = kernel(input, ctx, parts.task.call);
    return isThenable(returned) ? settle(returned, end) : outcomeOf(returned as Value, end);
  } catch (error) {
    return failureOf(error, end);
  }
}

/** The value of a checkpoint. An unreadable checkpoint, which another client may have made up, counts as none. */
function resumeOf({ resume }: SandboxTask): Value {
  try {
    return resume && decodeValue(resume);
  } catch {
    return undefined;
  }
}

async function settle(returned: PromiseLike<unknown>, end: () => void): Promise<Outcome> {
  try {
    const outcome = outcomeOf((await returned) as Value, end);
    if (outcome.state !== "done" || outcome.output.length > keptBytes) return outcome;
    // The output's buffer is reused for the next value, which may be encoded while this output waits for promises.
    return { ...outcome, output: new Uint8Array(outcome.output) };
  } catch (error) {
    return failureOf(error, end);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** The outcome of a value. The output's bytes are good until the next value is encoded, more than {@link keptBytes} for ever. */
function outcomeOf(value: Value, end: () => void): Outcome {
  end();
  try {
    const { bytes, refs } = encodeShared(value, { oneNaN: true });
    if (refs.length > limits.refsPerTask)
      throw new PlatformError(
        "UNSERIALISABLE",
        `The output names ${refs.length} blobs; at most ${limits.refsPerTask} are allowed.`,
      );
    return { state: "done", output: bytes, refs };
  } catch (error) {
    return noValue(messageOf(error));
  }
}

/** The message names the place in the value; a stack would be the inside of this runner. */
function noValue(message: string): Outcome {
  return { state: "failed", failure: { kind: "unserialisable", message } };
}

function failureOf(error: unknown, end: () => void): Outcome {
  end();
  const kind = isDataFailure(error) ? "data" : "error";
  return { state: "failed", failure: { kind, ...describeThrown(error) } };
}
