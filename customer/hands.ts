/// <reference lib="esnext.disposable" preserve="true" />
import { setTimeout as sleep } from "node:timers/promises";
import type { Value } from "../shared/wire/codec.ts";
import { DataReference } from "../shared/data-reference.ts";
import type { Capacity } from "../shared/wire/rest/capacity.ts";
import type { ClientInfo } from "../shared/wire/rest/clients.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { ServerStatus } from "../shared/wire/rest/status.ts";
import type { UsageInfo } from "../shared/wire/rest/usage.ts";
import type { SigningKey } from "../signing/keys.ts";
import { Api, type JobListFilter } from "./api.ts";
import { getBlob, putBlob, streamBlob, type PutSource, type TransferOptions } from "./blobs.ts";
import type { HttpClient } from "./http.ts";
import { Executor } from "./executor.ts";
import { Group } from "./group.ts";
import type { Job } from "./job.ts";
import { Jobs } from "./jobs.ts";
import type {
  AnyKernel,
  ArgumentsKernel,
  KernelFunction,
  KernelModule,
  OutputOf,
} from "./kernel/kernel-source.ts";
import type { Combine } from "./kernel/reducing.ts";
import { checkedArguments, checkMapArguments } from "./map-arguments.ts";
import type { ExecutorOptions, MapOptions } from "./map-options.ts";
import { Outputs } from "./outputs.ts";
import { Precache, type PrecacheOptions } from "./precache.ts";
import { startReduction, type AnyReduceOptions, type ReduceOptions, type Reduction } from "./reduction.ts";
import type { Inputs } from "./submission.ts";
import type { WatchOptions } from "./watch-options.ts";

/** Longest time that the end of a connection waits until the jobs of single tasks are closed. */
const closeMs = 5000;

/** A connection to a server with the customer's verbs. Made by `connect`. */
export class Hands {
  readonly #http: HttpClient;
  readonly #api: Api;
  readonly #jobs: Jobs;
  /** Computes the tasks of {@link submit}. */
  #executor: Executor | undefined;

  constructor(http: HttpClient, name?: string, priority?: number, signingKey?: SigningKey) {
    this.#http = http;
    this.#api = new Api(http);
    this.#jobs = new Jobs(this.#api, { name, priority, signingKey });
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
   * Inputs may be endless or slow; they are enumerated as fast as the server takes them. With the `outputs()` of a job as inputs, the server
   * passes each on when it is accepted, to the task of the same index, also after this program has ended; where a task of that job
   * fails, the task here fails as well.
   *
   * With `key`, an existing job goes on, whatever its state. The inputs are sent again from the first and compared with the
   * job's: CONFLICT when an input, the number of inputs, the kernel or the options differ (all but `name` and `priority` are
   * compared).
   *
   * If enumerating the inputs throws, or an input is refused, promises of the job reject after the job is cancelled. A job
   * with a `key` stays open instead, so that the program can go on with it.
   *
   * @throws PlatformError BAD_ARGUMENT for an invalid kernel, for inputs that are no list, or for more than one list
   */
  map<Input, Output>(
    kernel: KernelFunction<Input, Output>,
    inputs: Inputs<Input> | Outputs<Input>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  map<Input, Output>(
    kernel: KernelModule<Input, Output>,
    inputs: Inputs<Input> | Outputs<Input>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  map(kernel: string | URL, inputs: Inputs<Value> | Outputs<unknown>, options?: MapOptions<Value>): Job;
  map(
    kernel: AnyKernel,
    inputs: Inputs<unknown> | Outputs<unknown>,
    options: MapOptions = {},
    ...rest: never[]
  ): Job<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    return this.#jobs.start(kernel, inputs as Inputs<Value>, options, false);
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
    inputs: Inputs<Args> | Outputs<Args>,
    options?: MapOptions<OutputOf<Kernel>>,
  ): Job<OutputOf<Kernel>>;
  starmap<Args extends readonly unknown[], Output>(
    kernel: KernelModule<never, Output, Args>,
    inputs: Inputs<NoInfer<Args>> | Outputs<NoInfer<Args>>,
    options?: MapOptions<NoInfer<Output>>,
  ): Job<Output>;
  starmap(
    kernel: string | URL,
    inputs: Inputs<readonly Value[]> | Outputs<unknown>,
    options?: MapOptions<Value>,
  ): Job;
  starmap(
    kernel: AnyKernel,
    inputs: Inputs<unknown> | Outputs<unknown>,
    options: MapOptions = {},
    ...rest: never[]
  ): Job<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    const checked = inputs instanceof Outputs ? inputs : checkedArguments(inputs);
    return this.#jobs.start(kernel, checked as Inputs<Value>, options, true);
  }

  /**
   * Applies a kernel to every input and combines the outputs into one value, on the clients: each task applies the kernel to `perTask` inputs and combines
   * their outputs before anything travels; what remains is combined `fanIn` at a time, level by level. Every input counts exactly once. The order is that
   * of the inputs, so the value has the same bits on any clients, as long as `perTask` and `fanIn` are the same.
   *
   * @example
   * const pi = (4 / 1e9) * (await hands.reduce(countHits, seeds, { combine: (a, b) => a + b }));
   *
   * @throws PlatformError BAD_ARGUMENT as {@link map}, and when nothing says how to combine
   */
  reduce<Input, Output>(
    kernel: KernelFunction<Input, Output>,
    inputs: Inputs<Input> | Outputs<Input>,
    options: ReduceOptions<NoInfer<Output>> & { combine: Combine<NoInfer<Output>> },
  ): Reduction<Output>;
  reduce<Input, Output>(
    kernel: KernelModule<Input, Output>,
    inputs: Inputs<Input> | Outputs<Input>,
    options?: ReduceOptions<NoInfer<Output>>,
  ): Reduction<Output>;
  reduce(
    kernel: string | URL,
    inputs: Inputs<Value> | Outputs<unknown>,
    options?: ReduceOptions<Value>,
  ): Reduction;
  reduce(
    kernel: AnyKernel,
    inputs: Inputs<unknown> | Outputs<unknown>,
    options: AnyReduceOptions = {},
    ...rest: never[]
  ): Reduction<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    return startReduction(this.#jobs, kernel, inputs as Inputs<Value>, options);
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
  readonly submit = ((kernel: string, ...args: Value[]) => {
    this.#executor ??= this.executor();
    return this.#executor.submit(kernel, ...args);
  }) as Executor["submit"];

  /** Computes single tasks as {@link submit} does, in jobs with these options. */
  executor(options: ExecutorOptions = {}): Executor {
    return new Executor((kernel, inputs, takesArguments) => {
      checkMapArguments(kernel, inputs, options, 0);
      // The promise of a task rejects when the task fails.
      return this.#jobs.start(kernel, inputs, { ...options, failFast: false }, takesArguments);
    });
  }

  /** An existing job, of this program or another. `Output` is the return type of its kernel. */
  job<Output = Value>(id: string, options: WatchOptions<Output> = {}): Job<Output> {
    return this.#jobs.existing(id, options);
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
  put(source: PutSource, options: TransferOptions = {}): Promise<DataReference> {
    return putBlob(this.#http, source, options);
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
  get(reference: DataReference, options: TransferOptions = {}): Promise<Uint8Array> {
    return getBlob(this.#http, reference, options);
  }

  /** The bytes of a reference in chunks, for data that is too large for memory. */
  stream(
    reference: DataReference,
    options: TransferOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return streamBlob(this.#http, reference, options);
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
    if (this.#executor) await Promise.race([this.#executor.end(), sleep(closeMs, undefined, { ref: false })]);
  }
}
