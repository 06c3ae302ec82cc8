import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import type { JobId } from "../shared/ids.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { Value } from "../shared/wire/codec.ts";
import type { AnyKernel } from "./kernel/kernel-source.ts";
import { MadeKernel } from "./kernel/made-kernel.ts";
import { nameOf } from "./kernel/module-source.ts";
import { ProgramKernel } from "./kernel/program-kernel.ts";
import { combiningSource, foldingSource, type AnyCombine, type Combine } from "./kernel/reducing.ts";
import type { MapOptions } from "./map-options.ts";
import { PythonFunction, withPython } from "./python-kernel/python-function.ts";
import { Outputs } from "./outputs.ts";
import type { Inputs } from "./submission.ts";
import { TaskError, TaskFailedError } from "./task-error.ts";
import type { WatchOptions } from "./watch-options.ts";
import { whyBlocked, whyQuarantined } from "./why-ended.ts";

/** Outputs that a task combines by default. */
const defaultFanIn = 8;
/** Inputs of one task where their number is not known beforehand. */
const defaultPerTask = 32;
/** Time that a job between the inputs and the value is kept after its end: long enough to requeue its failed tasks. */
const keepMs = 3_600_000;
/** Period of the requests that ask how many outputs a job will have. */
const countMs = 500;

/** Options of `job.reduce`: of the jobs that combine. */
export interface CombineOptions extends Omit<
  MapOptions,
  "check" | "onBreak" | "onProgress" | "onResult" | "window"
> {
  /** Outputs that one task combines, 2 … 1024; by default 8. A task has all of them in memory. */
  readonly fanIn?: number;
}

/** Options of `hands.reduce`: of the job that applies the kernel, and of those that combine. */
export interface ReduceOptions<Output = unknown> extends CombineOptions {
  /** Combines two outputs: a function, or one in Python for a kernel in Python. Absent: the kernel's module has a function `combine`. */
  readonly combine?: Combine<Output> | PythonFunction<never, unknown> | undefined;
  /**
   * Inputs of one task, whose outputs are combined where they are computed. By default about the square root of the number of inputs; 32 when the inputs
   * are no array.
   */
  readonly perTask?: number;
  readonly onProgress?: WatchOptions["onProgress"];
}

/** A job of a reduction: the part of `Job` that a reduction needs. */
interface Stage<Output> extends PromiseLike<Output[]> {
  readonly id: Promise<JobId>;
  readonly submitted: Promise<void>;
  status: () => Promise<JobInfo>;
  cancel: () => Promise<JobInfo>;
  requeueFailed: () => Promise<number>;
  outputs: () => Outputs<Output>;
  tellEnd: () => Promise<void>;
}

/** Submits a job that combines the outputs of another one. */
export type StartJob = (
  kernel: MadeKernel | PythonFunction,
  outputs: Outputs<unknown>,
  options: MapOptions,
) => Stage<unknown>;

/** {@link ReduceOptions} of any outputs. */
export type AnyReduceOptions = Omit<ReduceOptions, "combine"> & { readonly combine?: AnyCombine | undefined };

/**
 * Outputs that become one value on the clients. Await it for the value. Made by `hands.reduce` and `job.reduce`.
 */
export class Reduction<Output = Value> implements PromiseLike<Output> {
  /** Resolves when the server has kernel, tasks and data: from then on the work goes on without this program. */
  readonly submitted: Promise<void>;
  readonly #startJob: StartJob;
  readonly #combine: AnyCombine;
  readonly #options: CombineOptions;
  /** The kernel of the first job, where this reduction made it. */
  readonly #kernel: AnyKernel | undefined;
  readonly #first: Stage<Output>;
  /** Number of the first job's outputs, where it is known beforehand. */
  readonly #count: number | undefined;
  /** The jobs from the first to the one whose only output is the value; absent after the first job ended before the others were made. */
  #chain: Promise<Stage<Output>[]> | undefined;
  #value: Promise<Output> | undefined;

  /** @param made - the kernel of a job that was made for this reduction, and the number of its outputs, where it is known beforehand */
  constructor(
    job: Stage<Output>,
    startJob: StartJob,
    combine: AnyCombine,
    options: CombineOptions,
    made: { kernel?: AnyKernel; count?: number | undefined } = {},
  ) {
    checkCount("fanIn", options.fanIn ?? defaultFanIn, 2);
    this.#startJob = startJob;
    this.#combine = combine;
    this.#options = options;
    this.#first = job;
    this.#kernel = made.kernel;
    this.#count = made.count;
    this.submitted = this.#jobs().then(async (chain) => {
      for (const each of chain) await each.submitted;
      for (const each of chain) await each.id;
    });
    this.submitted.catch(() => undefined);
  }

  /** Awaits the value. @throws TaskFailedError, PlatformError JOB_CANCELLED, … of the first job that did not finish */
  // oxlint-disable-next-line unicorn/no-thenable -- `await hands.reduce(…)` is the point of the interface
  then<Fulfilled = Output, Rejected = never>(
    onFulfilled?: ((value: Output) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const value = (this.#value ??= this.#collect());
    value.catch(() => {
      if (this.#value === value) this.#value = undefined;
    });
    return value.then(onFulfilled, onRejected);
  }

  /** Ids of the jobs of this reduction (`hands.job(id)`), from the one that has the inputs to the one whose only output is the value. */
  async jobIds(): Promise<readonly JobId[]> {
    return Promise.all((await this.#jobs()).map((job) => job.id));
  }

  /** Cancels all of it. */
  async cancel(): Promise<void> {
    // The other jobs are made when the number of outputs is known, which may be never without this.
    await this.#first.cancel();
    for (const job of await this.#madeJobs()) if (job !== this.#first) await job.cancel();
  }

  /** Tries failed tasks once more, with all their attempts, and resolves to their number; await the reduction again. */
  async requeueFailed(): Promise<number> {
    let requeued = 0;
    for (const job of await this.#madeJobs()) {
      const { counts, state } = await job.status();
      if (counts.failed > 0 && state !== "blocked") requeued += await job.requeueFailed();
    }
    return requeued;
  }

  #jobs(): Promise<Stage<Output>[]> {
    const chain = (this.#chain ??= this.#start());
    chain.catch(() => {
      if (this.#chain === chain) this.#chain = undefined;
    });
    return chain;
  }

  /** The first job, and the others where they could be made. */
  #madeJobs(): Promise<Stage<Output>[]> {
    return this.#jobs().catch(() => [this.#first]);
  }

  async #start(): Promise<Stage<Output>[]> {
    const { fanIn = defaultFanIn, key, keepMs: kept, name: given, ...options } = this.#options;
    const kernel = this.#kernel;
    const chain = [this.#first];
    let count = this.#count ?? (await countOf(this.#first));
    // A later run with the same key needs every job.
    const keep = kept ?? (key === undefined ? keepMs : undefined);
    for (let level = 1; count > 1; level++) {
      count = Math.ceil(count / fanIn);
      const isLast = count === 1;
      const named = (name: string): string => (isLast && level === 1 ? name : `${name}, level ${level}`);
      const kernelName = named(kernel === undefined ? "combine" : nameOf(kernel));
      const combine = withPython(this.#combine);
      const combining =
        combine instanceof PythonFunction
          ? combine.combining(kernelName)
          : new MadeKernel(kernelName, () => combiningSource(combine, kernel, options.compare));
      const keepFor = isLast ? kept : keep;
      const of = chain.at(-1)!.outputs().inGroups(fanIn);
      const job = this.#startJob(combining, of, {
        ...options,
        ...(given !== undefined && { name: named(given) }),
        ...(keepFor !== undefined && { keepMs: keepFor }),
        ...(key !== undefined && { key: `${key}/combine-${level}` }),
      });
      chain.push(job as Stage<Output>);
    }
    return chain;
  }

  async #collect(): Promise<Output> {
    const chain = await this.#jobs();
    const outputs = await this.#outputsOf(chain);
    await this.#first.tellEnd();
    if (outputs.length === 1) return outputs[0]!;
    if (outputs.length > 1)
      throw new PlatformError("BAD_ARGUMENT", "The inputs became more while they were submitted.");
    throw new PlatformError("BAD_ARGUMENT", "There are no outputs to combine; expected at least one input.");
  }

  async #outputsOf(chain: readonly Stage<Output>[]): Promise<Output[]> {
    try {
      return await chain.at(-1)!;
    } catch (error) {
      throw await this.#reason(chain, error);
    }
  }

  /** The failure that began it: jobs behind that are only blocked. */
  async #reason(chain: readonly Stage<Output>[], error: unknown): Promise<unknown> {
    if (!(error instanceof PlatformError) || error.code !== "JOB_BLOCKED") return error;
    for (const job of chain) {
      const status = await job.status();
      const failed = failureOf(status);
      if (failed) return failed;
    }
    return error;
  }
}

/** The number of outputs that a job will have. @throws the failure of a job that ended before it had all its inputs */
async function countOf(job: Stage<unknown>): Promise<number> {
  await job.submitted;
  for (;;) {
    const status = await job.status();
    if (status.state === "closed" || status.state === "finished") return status.counts.total;
    if (status.state !== "open") throw failureOf(status);
    await sleep(countMs);
  }
}

function checkCount(name: string, value: number, least: number): void {
  const most = least === 2 ? limits.outputsPerTask : limits.maxTaskIndex;
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new PlatformError(
    "BAD_ARGUMENT",
    `${name} is ${value}; expected a whole number from ${least} to ${most}.`,
  );
}

function failureOf(job: JobInfo): PlatformError | undefined {
  const { id, state, counts, failures } = job;
  if (state === "cancelled")
    return new PlatformError(
      "JOB_CANCELLED",
      `Job ${id} was cancelled with ${counts.done} of ${counts.total} tasks done.`,
    );
  if (state === "blocked") return new PlatformError("JOB_BLOCKED", whyBlocked(job));
  const failed = new TaskFailedError(
    failures.map((failure) => new TaskError(failure)),
    counts.total,
    counts.failed,
  );
  if (state === "quarantined") return new PlatformError("JOB_QUARANTINED", whyQuarantined(job), failed);
  return state === "finished" && counts.failed > 0 ? failed : undefined;
}

/** Starts jobs, those with inputs among them. */
interface Starter {
  start: (
    kernel: MadeKernel | PythonFunction,
    inputs: Inputs<Value> | Outputs<unknown>,
    options: MapOptions,
    takesArguments: boolean,
  ) => Stage<unknown>;
}

/** Submits the inputs of `hands.reduce`. */
export function startReduction(
  jobs: Starter,
  kernel: AnyKernel,
  inputs: Inputs<Value> | Outputs<unknown>,
  options: AnyReduceOptions,
): Reduction<unknown> {
  const { combine, perTask: given, fanIn, onProgress, after, ...jobOptions } = options;
  const inPython = pythonParts(kernel, combine);
  const known = Array.isArray(inputs) ? inputs.length : undefined;
  const isFed = inputs instanceof Outputs;
  const unknown = isFed ? defaultFanIn : defaultPerTask;
  const perTask = given ?? (known === undefined ? unknown : Math.max(1, Math.round(Math.sqrt(known))));
  checkCount("perTask", perTask, isFed ? 2 : 1);
  checkCount("fanIn", fanIn ?? defaultFanIn, 2);
  const folding = inPython
    ? inPython.kernel.folding(inPython.combine, perTask)
    : new MadeKernel(
        nameOf(kernel),
        (program) => foldingSource(kernel, combine, perTask, options.compare, program),
        kernel instanceof ProgramKernel ? kernel : undefined,
      );
  const count = known === undefined ? undefined : Math.ceil(known / perTask);
  const isBetween = count !== 1 && options.key === undefined && options.keepMs === undefined;
  const job = jobs.start(
    folding,
    isFed ? inputs.inGroups(perTask) : groupsOf(inputs, perTask),
    {
      ...jobOptions,
      ...(after && { after }),
      ...(onProgress && { onProgress }),
      ...(isBetween && { keepMs }),
    },
    false,
  );
  const combining: CombineOptions = { ...jobOptions, ...(fanIn !== undefined && { fanIn }) };
  const startJob: StartJob = (made, outputs, its) => jobs.start(made, outputs, its, false);
  return new Reduction<unknown>(
    job,
    startJob,
    inPython?.combine ?? combine ?? (kernel as AnyCombine),
    combining,
    {
      kernel: inPython?.kernel ?? kernel,
      count,
    },
  );
}

/** The functions of a reduction in Python; undefined for one in JavaScript. */
function pythonParts(
  kernel: AnyKernel,
  combine: AnyCombine | undefined,
): { kernel: PythonFunction; combine: PythonFunction<never, unknown> } | undefined {
  const [applied, combining] = [withPython(kernel), withPython(combine)];
  if (!(applied instanceof PythonFunction) && !(combining instanceof PythonFunction)) return undefined;
  if (applied instanceof PythonFunction && combining === undefined)
    return { kernel: applied, combine: applied.ownCombine };
  if (applied instanceof PythonFunction && combining instanceof PythonFunction)
    return { kernel: applied, combine: combining };
  throw new PlatformError(
    "BAD_ARGUMENT",
    "Of the kernel and `combine` one is a function in Python and the other is none; expected both in one language.",
  );
}

function groupsOf(inputs: Inputs<Value>, perTask: number): Inputs<Value> {
  return Symbol.asyncIterator in inputs ? groupedLater(inputs, perTask) : groupedInTurn(inputs, perTask);
}

function* groupedInTurn(inputs: Iterable<Value>, perTask: number): Generator<Value[], void, undefined> {
  let group: Value[] = [];
  for (const input of inputs)
    if (group.push(input) === perTask) {
      yield group;
      group = [];
    }
  if (group.length > 0) yield group;
}

async function* groupedLater(
  inputs: AsyncIterable<Value>,
  perTask: number,
): AsyncGenerator<Value[], void, undefined> {
  let group: Value[] = [];
  for await (const input of inputs)
    if (group.push(input) === perTask) {
      yield group;
      group = [];
    }
  if (group.length > 0) yield group;
}
