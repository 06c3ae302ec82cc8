import { createHash, randomUUID } from "node:crypto";
import * as v from "valibot";
import { PlatformError, type ErrorCode } from "../shared/errors.ts";
import { hints } from "../shared/hints.ts";
import { jobIdSchema, type JobId, type Sha256 } from "../shared/ids.ts";
import { jobDefaults, limits } from "../shared/limits.ts";
import type { BlobName } from "../shared/data-reference.ts";
import type { Value } from "../shared/wire/codec.ts";
import { onceKeyPrefix } from "../shared/wire/rest/job-options.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { SigningKey } from "../signing/keys.ts";
import type { Api } from "./api.ts";
import { Job } from "./job.ts";
import type { AnyKernel } from "./kernel/kernel-source.ts";
import { MadeKernel } from "./kernel/made-kernel.ts";
import { moduleSource, nameOf } from "./kernel/module-source.ts";
import { ProgramKernel, type PreparedProgram } from "./kernel/program-kernel.ts";
import { PythonFunction, withPython } from "./python-kernel/python-function.ts";
import type { AvailableWheel, PythonFile } from "./python-kernel/runtime.ts";
import { exists, putBlob, putBytes } from "./blobs.ts";
import type { MapOptions } from "./map-options.ts";
import { Outputs } from "./outputs.ts";
import type { StartJob } from "./reduction.ts";
import { SameInputs } from "./same-inputs.ts";
import { submitInputs, type Inputs } from "./submission.ts";
import type { EncodedInput } from "./task-batch.ts";
import type { WatchOptions } from "./watch-options.ts";
import { whyBlocked, whyQuarantined } from "./why-ended.ts";

/** Longest time that a failed submission waits until the server has cancelled the job. */
const cancelMs = 5000;

/** Refusals of a job that ended while its inputs were still coming. */
const endCodes: ReadonlySet<ErrorCode> = new Set(["JOB_BLOCKED", "JOB_QUARANTINED", "JOB_CANCELLED"]);

/** A kernel that is a program or a function in Python, with its large files on the server. */
interface Prepared {
  /** Names of these files, which each task refers to. */
  readonly refs: readonly BlobName[];
  readonly program?: PreparedProgram;
  /** The module of a function in Python. */
  readonly source?: string;
}

interface Submission {
  readonly created: Promise<JobInfo>;
  readonly prepared: Promise<Prepared> | undefined;
  readonly options: MapOptions;
  readonly signal: AbortSignal;
  /** Ends the view of the job, and cancels the job whose id is given. */
  readonly leave: (reason: unknown, id?: JobId) => Promise<void>;
}

/** Settings of a connection that its jobs have unless they have their own. */
export interface JobDefaults {
  readonly name?: string | undefined;
  readonly priority?: number | undefined;
  readonly signingKey?: SigningKey | undefined;
}

/** Makes the jobs of a connection. */
export class Jobs {
  readonly #api: Api;
  readonly #defaults: JobDefaults;
  /** Kernels that are known to be on the server. */
  readonly #kernels = new Set<Sha256>();

  constructor(api: Api, defaults: JobDefaults) {
    this.#api = api;
    this.#defaults = defaults;
  }

  readonly #startCombining: StartJob = (kernel, outputs, options) =>
    this.start(kernel, outputs, options, false);

  /** Submits a job. With `takesArguments` each input is the array of the kernel's arguments. */
  start(
    given: AnyKernel | MadeKernel,
    inputs: Inputs<Value | EncodedInput> | Outputs<unknown>,
    options: MapOptions,
    takesArguments: boolean,
  ): Job<unknown> {
    const kernel = withPython(given);
    const over = new AbortController();
    const givenUp = new AbortController();
    // Promises of the job reject only after the server is told, because the program may then end at once.
    let leaving: Promise<void> | undefined;
    const leave = (reason: unknown, id?: JobId): Promise<void> => {
      const cancelled = id === undefined ? Promise.resolve() : this.#cancelUnwanted(id);
      return (leaving ??= cancelled.then(() => over.abort(reason)));
    };
    const prepared = this.#prepare(kernel, options, { takesArguments, inputs }, givenUp.signal);
    const created = this.#create(kernel, options, { takesArguments, prepared }, givenUp.signal, inputs);
    const id = created.then((job) => job.id);
    const ended = onAbort(options.signal, (reason) => {
      givenUp.abort(reason);
      void id.then(
        (made) => leave(reason, made),
        () => leave(reason),
      );
    });
    // A later run can go on with a job that has a key.
    const giveUp = async (reason: unknown): Promise<void> => {
      givenUp.abort(reason);
      await leave(reason, options.key === undefined ? await id : undefined);
    };
    const { submitted, same } = this.#give(inputs, {
      created,
      prepared,
      options,
      signal: givenUp.signal,
      leave,
    });
    const left = (): Promise<void> | undefined => {
      // A job fails with the submission of its source, which is cancelled a moment before.
      if (!leaving && inputs instanceof Outputs && inputs.left()) return submitted.catch(() => undefined);
      return leaving;
    };
    // Results of a job that had all its inputs before belong to these inputs only when the inputs were found the same.
    const verified = created.then((job) => (job.state === "open" ? undefined : submitted));
    const inputsPerTask = inputs instanceof Outputs ? inputs.inputsPerTask : 1;
    const parts = {
      id,
      submitted,
      verified,
      same,
      inputsPerTask,
      over,
      left,
      ended,
      giveUp,
      start: this.#startCombining,
    };
    return new Job<unknown>(this.#api, parts, options);
  }

  /** An existing job. @throws PlatformError NOT_FOUND for an id that no job can have */
  existing<Output>(id: string, options: WatchOptions<Output>): Job<Output> {
    const parsed = v.safeParse(jobIdSchema, id);
    if (!parsed.success)
      throw new PlatformError(
        "NOT_FOUND",
        `"${id}" is no job id; expected one such as j_abcdefghij234567.`,
        undefined,
        hints.job,
      );
    const over = new AbortController();
    const ended = onAbort(options.signal, (reason) => over.abort(reason));
    const there = Promise.resolve();
    const giveUp = async (reason: unknown): Promise<void> => over.abort(reason);
    const parts = {
      id: Promise.resolve(parsed.output),
      submitted: there,
      verified: there,
      over,
      ended,
      giveUp,
      start: this.#startCombining,
    };
    return new Job<Output>(this.#api, { ...parts, left: () => undefined }, options);
  }

  /** A kernel that is a program or a function in Python; undefined for others. */
  #prepare(
    kernel: AnyKernel | MadeKernel,
    options: MapOptions,
    job: { takesArguments: boolean; inputs: Inputs<unknown> | Outputs<unknown> },
    signal: AbortSignal,
  ): Promise<Prepared> | undefined {
    const program = kernel instanceof MadeKernel ? kernel.program : kernel;
    const isFed = job.inputs instanceof Outputs;
    const prepared =
      program instanceof ProgramKernel
        ? this.#prepareProgram(program, options, !isFed, signal)
        : program instanceof PythonFunction
          ? this.#preparePython(program, options, { takesArguments: job.takesArguments, isFed }, signal)
          : undefined;
    // The creation of the job awaits it as well.
    prepared?.catch(() => undefined);
    return prepared;
  }

  async #prepareProgram(
    program: ProgramKernel<unknown>,
    { memoryMb = jobDefaults.memoryMb }: MapOptions,
    mayRefer: boolean,
    signal: AbortSignal,
  ): Promise<Prepared> {
    const put = (bytes: Uint8Array): ReturnType<typeof putBytes> =>
      putBytes(this.#api.http, bytes, { signal });
    const made = await program.prepare(put, { memoryMb, mayRefer });
    return { refs: made.refs, program: made };
  }

  async #preparePython(
    kernel: PythonFunction,
    { check, compare }: MapOptions,
    { takesArguments, isFed }: { takesArguments: boolean; isFed: boolean },
    signal: AbortSignal,
  ): Promise<Prepared> {
    if (check || compare === "kernel")
      throw new PlatformError(
        "BAD_ARGUMENT",
        'check: true and compare: "kernel" are functions of a kernel module, and the kernel is a function in Python.',
      );
    const available = async (): Promise<AvailableWheel[]> => {
      const wheels = await this.#api.wheels({ signal });
      return wheels.map((wheel) => ({ ...wheel, read: () => this.#api.wheel(wheel.file, { signal }) }));
    };
    const { source, refs } = await kernel.kernel(takesArguments, isFed, available);
    await Promise.all(refs.map((ref) => this.#putFile(ref, signal)));
    return { source, refs: refs.map(({ sha256, size }) => ({ sha256, size })) };
  }

  async #putFile({ sha256, path, read }: PythonFile, signal: AbortSignal): Promise<void> {
    if (path !== undefined) await putBlob(this.#api.http, path, { signal });
    else if (read && !(await exists(this.#api.http, `api/blobs/${sha256}`, signal)))
      await putBytes(this.#api.http, await read(), { signal });
  }

  async #create(
    kernel: AnyKernel | MadeKernel,
    options: MapOptions,
    { takesArguments, prepared }: { takesArguments: boolean; prepared: Promise<Prepared> | undefined },
    signal: AbortSignal,
    inputs: Inputs<unknown> | Outputs<unknown>,
  ): Promise<JobInfo> {
    signal.throwIfAborted();
    const { source: made, program } = (await prepared) ?? {};
    const source = made ?? (await moduleSource(kernel, options, takesArguments, program));
    const sha256 = createHash("sha256").update(source).digest("hex") as Sha256;
    const { name, priority, signingKey } = this.#defaults;
    const {
      onProgress: _,
      onResult: _onResult,
      onBreak: _onBreak,
      signal: __,
      failFast,
      window: ___,
      after = [],
      ...jobOptions
    } = options;
    const command = commandOf(kernel);
    const request = {
      ...(priority !== undefined && { priority }),
      ...jobOptions,
      ...(failFast === false && { failFast }),
      ...(after.length > 0 && { after: await Promise.all(after.map(idOf)) }),
      ...(inputs instanceof Outputs && {
        inputsFrom: await inputs.job,
        ...(inputs.perTask !== undefined && { outputsPerTask: inputs.perTask }),
      }),
      ...(command !== undefined && { requires: { ...options.requires, command } }),
      name: options.name ?? name ?? nameOf(kernel),
      // With a random key a repeated request finds the job that a lost reply had made.
      key: options.key ?? `${onceKeyPrefix}${randomUUID()}`,
      kernel: sha256,
      ...(signingKey && { signature: signingKey.sign(sha256) }),
    };
    if (!this.#kernels.has(sha256)) await this.#putKernel(source, sha256, signal);
    try {
      return await this.#api.createJob(request, { signal });
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === "BAD_REQUEST")
        throw new PlatformError("BAD_ARGUMENT", `The options of the job: ${error.message}`, error);
      // The server was set up anew since the kernel was stored.
      if (error.code !== "UNKNOWN_KERNEL") throw error;
      await this.#putKernel(source, sha256, signal);
      return this.#api.createJob(request, { signal });
    }
  }

  async #putKernel(source: string, sha256: Sha256, signal: AbortSignal): Promise<void> {
    if (Buffer.byteLength(source) > limits.kernelBytes)
      throw new PlatformError(
        "TOO_LARGE",
        `The kernel is ${Buffer.byteLength(source)} bytes; at most ${limits.kernelBytes} are allowed. Put large data with hands.put().`,
      );
    await this.#api.putKernel(source, { signal });
    this.#kernels.add(sha256);
  }

  /** Gives a job its inputs. @returns when the job needs this program no more, and which of its inputs are known to be the given ones */
  #give(
    inputs: Inputs<Value | EncodedInput> | Outputs<unknown>,
    submission: Submission,
  ): { submitted: Promise<void>; same: SameInputs | undefined } {
    if (inputs instanceof Outputs) return { submitted: this.#whenFed(inputs, submission), same: inputs.same };
    const same = new SameInputs();
    return { submitted: same.follow(this.#submit(inputs, submission, same)), same };
  }

  async #whenFed(source: Outputs<unknown>, { created, options, signal, leave }: Submission): Promise<void> {
    let job: JobInfo | undefined;
    try {
      job = await created;
      await source.submitted;
    } catch (error) {
      // The results of a job whose source was ended elsewhere tell the reason.
      if (signal.aborted || (error instanceof PlatformError && endCodes.has(error.code))) throw error;
      await leave(error, options.key === undefined ? job?.id : undefined);
      throw error;
    }
  }

  async #submit(
    inputs: Inputs<Value | EncodedInput>,
    { created, prepared, options, signal, leave }: Submission,
    same: SameInputs,
  ): Promise<void> {
    let job: JobInfo | undefined;
    try {
      job = await created;
      same.known(job.counts.total);
      // The job was blocked before it had an input: awaiting it gives the same refusal.
      if (job.state === "blocked" && job.counts.total === 0)
        throw new PlatformError("JOB_BLOCKED", whyBlocked(job));
      await submitInputs(this.#api, job, inputs, {
        signal,
        window: options.window,
        refs: (await prepared)?.refs ?? [],
        onTaken: (count) => same.taken(count),
      });
    } catch (error) {
      // Aborting has already cancelled the job.
      if (signal.aborted) throw error;
      const ended = job && (await this.#endedElsewhere(job, error));
      // The results of the ended job tell the reason.
      if (ended) throw ended;
      // A later run can go on with a job that has a key.
      await leave(error, options.key === undefined ? job?.id : undefined);
      throw error;
    }
  }

  /** Cancels a job that the program does not want; without the server, the job stays open for want of inputs. */
  async #cancelUnwanted(id: JobId): Promise<void> {
    const signal = AbortSignal.timeout(cancelMs);
    await this.#api.act(id, "cancel", { patienceMs: 0, signal }).catch(() => undefined);
  }

  /** The refusal of a job that was ended while its inputs were still coming; undefined when `error` has another cause. */
  async #endedElsewhere({ id }: JobInfo, error: unknown): Promise<PlatformError | undefined> {
    if (!(error instanceof PlatformError)) return undefined;
    if (error.code === "JOB_BLOCKED") return error;
    if (error.code !== "WRONG_STATE") return undefined;
    const job = await this.#api.job(id, { patienceMs: 0 }).catch(() => undefined);
    if (job?.state === "blocked") return new PlatformError("JOB_BLOCKED", whyBlocked(job), error);
    if (job?.state === "quarantined") return new PlatformError("JOB_QUARANTINED", whyQuarantined(job), error);
    if (job?.state === "cancelled")
      return new PlatformError("JOB_CANCELLED", `Job ${id} was ended before it had all its inputs.`, error);
    return undefined;
  }
}

/** The command that a kernel runs. */
function commandOf(kernel: AnyKernel | MadeKernel): string | undefined {
  const inner = kernel instanceof MadeKernel ? kernel.program : kernel;
  return inner instanceof ProgramKernel || inner instanceof PythonFunction ? inner.command : undefined;
}

/** Calls back when `signal` is aborted, or at once when it is already. @returns a function that removes the listener */
function onAbort(signal: AbortSignal | undefined, callback: (reason: unknown) => void): () => void {
  const listener = (): void => callback(signal?.reason);
  signal?.addEventListener("abort", listener, { once: true });
  if (signal?.aborted) listener();
  return () => signal?.removeEventListener("abort", listener);
}

async function idOf(job: string | { readonly id: Promise<string> }): Promise<string> {
  return typeof job === "string" ? job : job.id;
}
