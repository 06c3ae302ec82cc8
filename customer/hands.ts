/// <reference lib="esnext.disposable" preserve="true" />
import { createHash, randomUUID } from "node:crypto";
import { basename, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as v from "valibot";
import type { Value } from "../shared/wire/codec.ts";
import { DataReference } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import { hints } from "../shared/hints.ts";
import { jobIdSchema, type JobId, type Sha256 } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import {
  onceKeyPrefix,
  type Capacity,
  type Compare,
  type ClientInfo,
  type JobInfo,
  type JobOptionsInput,
  type ServerStatus,
  type UsageInfo,
  type Verify,
} from "../shared/wire/rest.ts";
import type { SigningKey } from "../signing/keys.ts";
import { Api, type JobListFilter } from "./api.ts";
import { getBlob, putBlob, streamBlob, type PutSource } from "./blobs.ts";
import type { HttpClient } from "./http.ts";
import { Executor } from "./executor.ts";
import { Group } from "./group.ts";
import { Job, whyBlocked, whyQuarantined, type WatchOptions } from "./job.ts";
import { bundleKernel } from "./kernel/bundle.ts";
import { moduleOfFunction, withArguments } from "./kernel/function-source.ts";
import { portablePowers } from "./kernel/powers.ts";
import type {
  AnyKernel,
  ArgumentsKernel,
  KernelFunction,
  KernelModule,
  OutputOf,
} from "./kernel/kernel-source.ts";
import { checkedArguments, checkMapArguments } from "./map-arguments.ts";
import { Precache, type PrecacheOptions } from "./precache.ts";
import { SameInputs } from "./same-inputs.ts";
import { submitInputs, type Inputs } from "./submission.ts";
import type { EncodedInput } from "./task-batch.ts";

/** Options of {@link Hands.map}: options of the job on the server, and of this program's view of it. */
export interface MapOptions<Output = unknown>
  extends
    Omit<JobOptionsInput, "after" | "failFast" | "signature" | "verify" | "compare" | "check">,
    WatchOptions<Output> {
  /**
   * How results of volunteers are verified. `"audit"` (unless told otherwise): some of them are computed again by trusted clients.
   * `{ quorum: n }`: n volunteers of different networks have to agree. `"trusted"`: volunteers get no task. `"off"`: not at all.
   */
  readonly verify?: Verify;
  /**
   * When two results agree. `"bits"` (unless told otherwise): with the same bytes. `{ abs, rel }`: when numbers a and b in one place differ by
   * at most `max(abs, rel · max(|a|, |b|))`. `"kernel"`: when the kernel module's `compare(a, b)` says so.
   */
  readonly compare?: Compare;
  /** The kernel module's `check(input, output)` and `suspicious(output)` look at every result of a volunteer; see {@link KernelExports}. */
  readonly check?: boolean;
  /**
   * Names the job across restarts of this program: with the same key, kernel and inputs the program goes on with the same job,
   * and gets every result from the first.
   */
  readonly key?: string;
  /**
   * Most unfinished tasks on the server, for endless inputs. Absent: inputs are submitted as fast as the server takes them (it
   * keeps tasks on disk).
   */
  readonly window?: number;
  /**
   * Jobs (or their ids) that must finish without a failed task before a task of this job is computed, so that a program of
   * several stages submits them all and leaves. When such a job ends otherwise, this job ends as `blocked`, and says why.
   */
  readonly after?: readonly (string | Job<unknown>)[];
}

/** Longest time that a failed submission waits until the server has cancelled the job, and `close` until jobs are closed. */
const cancelMs = 5000;

/** Options of {@link Hands.executor}, which are those of its jobs. */
export type ExecutorOptions = Omit<
  MapOptions,
  "after" | "failFast" | "key" | "onBreak" | "onResult" | "signal" | "window"
>;

/** A connection to a server with the customer's verbs. Made by `connect`. */
export class Hands {
  readonly #http: HttpClient;
  readonly #api: Api;
  /** Kernels that are known to be on the server. */
  readonly #kernels = new Set<Sha256>();
  readonly #name: string | undefined;
  readonly #priority: number | undefined;
  readonly #signingKey: SigningKey | undefined;
  /** Computes the tasks of {@link submit}. */
  #executor: Executor | undefined;

  constructor(http: HttpClient, name?: string, priority?: number, signingKey?: SigningKey) {
    this.#http = http;
    this.#api = new Api(http);
    this.#name = name;
    this.#priority = priority;
    this.#signingKey = signingKey;
  }

  /** Address of the server. */
  get url(): string {
    return this.#http.url;
  }

  /** The underlying REST interface, for other verbs (tokens, clients). */
  get api(): Api {
    return this.#api;
  }

  /**
   * Applies a kernel to every input on the clients of the server. Returns at once; await the job for an array in the order of
   * the inputs, or iterate it as tasks complete.
   *
   * A kernel function travels as its source text: it has `input`, `ctx` and the language, but not the variables around it.
   * Inputs may be endless or slow; they are enumerated as fast as the server takes them.
   *
   * With `key`, an existing job goes on, whatever its state. The inputs are sent again from the first and compared with the
   * job's: CONFLICT when an input, the number of inputs, the kernel or the options differ (all but `name` and `priority` are
   * compared).
   *
   * When enumerating the inputs throws, or an input is refused, promises of the job reject after the job is cancelled. A job
   * with a `key` stays open instead, so that the program can go on with it.
   *
   * @throws PlatformError BAD_ARGUMENT for an invalid kernel, for inputs that are no list, or for more than one list
   */
  map<Input, Output>(
    kernel: KernelFunction<Input, Output>,
    inputs: Inputs<Input>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  map<Input, Output>(
    kernel: KernelModule<Input, Output>,
    inputs: Inputs<Input>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  map(kernel: string | URL, inputs: Inputs<Value>, options?: MapOptions<Value>): Job;
  map(kernel: AnyKernel, inputs: Inputs<unknown>, options: MapOptions = {}, ...rest: never[]): Job<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    return this.#start(kernel, inputs as Inputs<Value>, options, false);
  }

  /**
   * As {@link map}, for a kernel of several arguments: each input is the array of a task's arguments, and the task is
   * `kernel(...input, ctx)`. The last parameter of the kernel is `ctx`, behind the arguments.
   *
   * @example
   * await hands.starmap((base: number, power: number) => base ** power, [[2, 3], [3, 2]]); // [8, 9]
   *
   * @throws PlatformError BAD_ARGUMENT as {@link map}, and for an input that is no array
   */
  starmap<Args extends readonly unknown[] | [], Kernel extends ArgumentsKernel<Args>>(
    kernel: Kernel,
    inputs: Inputs<Args>,
    options?: MapOptions<OutputOf<Kernel>>,
  ): Job<OutputOf<Kernel>>;
  starmap<Args extends readonly unknown[], Output>(
    kernel: KernelModule<never, Output, Args>,
    inputs: Inputs<NoInfer<Args>>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  starmap(kernel: string | URL, inputs: Inputs<readonly Value[]>, options?: MapOptions<Value>): Job;
  starmap(
    kernel: AnyKernel,
    inputs: Inputs<unknown>,
    options: MapOptions = {},
    ...rest: never[]
  ): Job<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    return this.#start(kernel, checkedArguments(inputs) as Inputs<Value>, options, true);
  }

  /**
   * Computes one task, `kernel(...args, ctx)`, and resolves to its output. Tasks of one kernel that are submitted while others are
   * unfinished, or within a second, share a job; options of such jobs are those of an {@link executor}.
   *
   * @example
   * const power = await hands.submit((base: number, power: number) => base ** power, 2, 10); // 1024
   *
   * @throws TaskError when the kernel failed for good; PlatformError BAD_ARGUMENT for an invalid kernel, UNSERIALISABLE, TOO_LARGE,
   * JOB_CANCELLED
   */
  submit<Args extends readonly unknown[], Kernel extends ArgumentsKernel<Args>>(
    kernel: Kernel,
    ...args: Args
  ): Promise<OutputOf<Kernel>>;
  submit<Args extends readonly unknown[], Output>(
    kernel: KernelModule<never, Output, Args>,
    ...args: NoInfer<Args>
  ): Promise<Output>;
  submit(kernel: string | URL, ...args: Value[]): Promise<Value>;
  submit(kernel: AnyKernel, ...args: Value[]): Promise<unknown> {
    this.#executor ??= this.executor();
    return this.#executor.submit(kernel as string, ...args);
  }

  /** Computes single tasks as {@link submit} does, in jobs with these options. */
  executor(options: ExecutorOptions = {}): Executor {
    return new Executor((kernel, inputs, takesArguments) => {
      checkMapArguments(kernel, inputs, options, 0);
      // Each promise tells of its own failure.
      return this.#start(kernel, inputs, { ...options, failFast: false }, takesArguments);
    });
  }

  #start(
    kernel: AnyKernel,
    inputs: Inputs<Value | EncodedInput>,
    options: MapOptions,
    takesArguments: boolean,
  ): Job<unknown> {
    const over = new AbortController();
    const givenUp = new AbortController();
    // Promises of the job reject only after the server is told, because the program may then end at once.
    let leaving: Promise<void> | undefined;
    const leave = (reason: unknown, id?: JobId): Promise<void> => {
      const cancelled = id === undefined ? Promise.resolve() : this.#cancelUnwanted(id);
      return (leaving ??= cancelled.then(() => over.abort(reason)));
    };
    const created = this.#create(kernel, options, takesArguments, givenUp.signal);
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
    const same = new SameInputs();
    const submitted = same.follow(this.#submit(created, inputs, options, givenUp.signal, leave, same));
    // Results of a job that had all its inputs before belong to these inputs only when the inputs were found the same.
    const verified = created.then((job) => (job.state === "open" ? undefined : submitted));
    return new Job<unknown>(
      this.#api,
      { id, submitted, verified, same, over, left: () => leaving, ended, giveUp },
      options,
    );
  }

  /** An existing job, of this program or another. `Output` is the return type of its kernel. */
  job<Output = Value>(id: string, options: WatchOptions<Output> = {}): Job<Output> {
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
    };
    return new Job<Output>(this.#api, { ...parts, left: () => undefined }, options);
  }

  /** Your jobs (all customers' for an administrator), newest first; all of them, or those that match a filter. */
  jobs(filter: JobListFilter = {}): Promise<JobInfo[]> {
    return this.#api.jobs(filter);
  }

  /** The jobs of a `group`, which are listed and cancelled together. */
  group(name: string): Group {
    return new Group(this.#api, name);
  }

  /**
   * Stores bytes on the server under their SHA-256, and returns the reference to pass in inputs. Bytes that you have on the server
   * are not sent. A string is the path of a file. Memory never holds a whole file; a stream waits in a temporary file, because its
   * name is known only at its end.
   */
  put(source: PutSource, options: { signal?: AbortSignal } = {}): Promise<DataReference> {
    return putBlob(this.#http, source, options.signal);
  }

  /**
   * Pushes data to clients before tasks need it, in the background and after the data of their tasks: to all connected clients,
   * and clients that join meanwhile. Whole blobs or slices. The promise resolves when each client has the data, or as much as
   * its cache takes (`short` counts the clients without all of it, `problems` says why). With no client connected it waits for
   * the first, as a job does.
   *
   * @param refs - references of {@link put}, or slices of them; up to 4,096
   * @throws PlatformError NOT_FOUND for a blob that the server does not have, TOO_MANY, BAD_ARGUMENT; the reason of `signal`
   */
  precache(refs: DataReference | Iterable<DataReference>, options: PrecacheOptions = {}): Precache {
    return new Precache(this.#http, DataReference.is(refs) ? [refs] : [...refs], options);
  }

  /** The bytes of a reference. @throws PlatformError NOT_FOUND, HASH_MISMATCH */
  get(reference: DataReference, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return getBlob(this.#http, reference, options.signal);
  }

  /** The same in chunks, for data that is too large for memory. */
  stream(
    reference: DataReference,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return streamBlob(this.#http, reference, options.signal);
  }

  /** The clients of the server. */
  clients(): Promise<ClientInfo[]> {
    return this.#api.clients();
  }

  /** Capacity of the clients together: slots, busy slots, measured and expected tasks a second, by kind of client. */
  capacity(): Promise<Capacity> {
    return this.#api.capacity();
  }

  /** Your usage of the server and your quota; for an administrator those of every customer that keeps anything. */
  usage(): Promise<UsageInfo[]> {
    return this.#api.usage();
  }

  /** Status of the server. */
  status(): Promise<ServerStatus> {
    return this.#api.status();
  }

  /** Ends this connection: pending promises reject. Jobs go on; those of {@link submit} are closed first. */
  close(): void {
    if (this.#executor) void this.#close();
    else this.#http.close();
  }

  /** `await using hands = await connect()` closes the connection by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.closeSingleTasks();
    this.#http.close();
  }

  /** Closes the jobs of {@link submit}, so that they end with the tasks that they have. */
  protected async closeSingleTasks(): Promise<void> {
    if (this.#executor)
      await Promise.race([this.#executor.end(), sleep(cancelMs, undefined, { ref: false })]);
  }

  async #create(
    kernel: AnyKernel,
    options: MapOptions,
    takesArguments: boolean,
    signal: AbortSignal,
  ): Promise<JobInfo> {
    signal.throwIfAborted();
    const source = await sourceOf(kernel, options, takesArguments);
    const sha256 = createHash("sha256").update(source).digest("hex") as Sha256;
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
    const request = {
      ...(this.#priority !== undefined && { priority: this.#priority }),
      ...jobOptions,
      ...(failFast === false && { failFast }),
      ...(after.length > 0 && { after: await Promise.all(after.map(idOf)) }),
      name: options.name ?? this.#name ?? nameOf(kernel),
      // With a random key a repeated request finds the job that a lost reply had made.
      key: options.key ?? `${onceKeyPrefix}${randomUUID()}`,
      kernel: sha256,
      ...(this.#signingKey && { signature: this.#signingKey.sign(sha256) }),
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

  async #submit(
    created: Promise<JobInfo>,
    inputs: Inputs<Value | EncodedInput>,
    options: MapOptions,
    signal: AbortSignal,
    leave: (reason: unknown, id?: JobId) => Promise<void>,
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
        onTaken: (count) => same.taken(count),
      });
    } catch (error) {
      // Aborting has already cancelled the job.
      if (signal.aborted) throw error;
      const ended = job && (await this.#endedElsewhere(job, error));
      // The results of the ended job tell what happened to it.
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

/** Calls back when `signal` is aborted, or at once when it is already. @returns a function that removes the listener */
function onAbort(signal: AbortSignal | undefined, callback: (reason: unknown) => void): () => void {
  const listener = (): void => callback(signal?.reason);
  signal?.addEventListener("abort", listener, { once: true });
  if (signal?.aborted) listener();
  return () => signal?.removeEventListener("abort", listener);
}

async function idOf(job: string | Job<unknown>): Promise<string> {
  return typeof job === "string" ? job : job.id;
}

async function sourceOf(
  kernel: AnyKernel,
  { check, compare }: MapOptions,
  takesArguments: boolean,
): Promise<string> {
  const isFunction = typeof kernel === "function";
  const { source, exports } = isFunction
    ? { source: await portablePowers(moduleOfFunction(kernel, takesArguments)), exports: [] }
    : await bundleKernel(urlOf(kernel));
  if (check && !exports.includes("check") && !exports.includes("suspicious"))
    throw missingExport(kernel, "check: true", "check(input, output)");
  if (compare === "kernel" && !exports.includes("compare"))
    throw missingExport(kernel, 'compare: "kernel"', "compare(a, b)");
  return takesArguments && !isFunction ? withArguments(source) : source;
}

function missingExport(kernel: AnyKernel, option: string, expected: string): PlatformError {
  return new PlatformError(
    "BAD_ARGUMENT",
    typeof kernel === "function"
      ? `The job has ${option}, and its kernel is a function; expected a module (kernelModule) that exports \`${expected}\` as well.`
      : `The job has ${option}, and the kernel module ${fileURLToPath(urlOf(kernel))} exports no such function; expected \`export function ${expected}\`.`,
  );
}

function urlOf(kernel: Exclude<AnyKernel, (...args: never[]) => unknown>): URL {
  if (kernel instanceof URL) return kernel;
  if (typeof kernel !== "string") return kernel.url;
  return kernel.startsWith("file:") ? new URL(kernel) : pathToFileURL(resolve(kernel));
}

function nameOf(kernel: AnyKernel): string {
  if (typeof kernel === "function") return kernel.name || "job";
  return basename(fileURLToPath(urlOf(kernel))).replace(/\.[^.]+$/, "") || "job";
}
