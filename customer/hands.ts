import { createHash, randomUUID } from "node:crypto";
import { basename, resolve } from "node:path";
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
  type ClientInfo,
  type JobInfo,
  type JobOptionsInput,
  type ServerStatus,
} from "../shared/wire/rest.ts";
import { Api, type JobListFilter } from "./api.ts";
import { getBlob, putBlob, streamBlob, type PutSource } from "./blobs.ts";
import type { HttpClient } from "./http.ts";
import { Group } from "./group.ts";
import { Job, whyBlocked, whyQuarantined, type WatchOptions } from "./job.ts";
import { bundleKernel } from "./kernel/bundle.ts";
import { moduleOfFunction } from "./kernel/function-source.ts";
import type { KernelFunction, KernelModule } from "./kernel/kernel-source.ts";
import { checkMapArguments } from "./map-arguments.ts";
import { Precache, type PrecacheOptions } from "./precache.ts";
import { SameInputs } from "./same-inputs.ts";
import { submitInputs, type Inputs } from "./submission.ts";

/** Options of {@link Hands.map}: those of the job on the server, and those of this program's view of it. */
export interface MapOptions extends Omit<JobOptionsInput, "after" | "failFast">, WatchOptions {
  /**
   * Names the job across restarts of this program: run again with the same key, kernel and inputs, it goes on with the
   * job instead of making another, and gets every result from the first.
   */
  readonly key?: string;
  /**
   * At most this many tasks that have not ended are on the server; for inputs without an end. Absent: everything is
   * submitted as fast as the server takes it (it keeps tasks on disk).
   */
  readonly window?: number;
  /**
   * Jobs (or their ids) that must finish without a failed task before any task of this one is computed, so that a program of
   * several stages submits them all and leaves. When one ends otherwise this job ends as `blocked`, and says why.
   */
  readonly after?: readonly (string | Job<unknown>)[];
}

/** Longest time that a failed submission waits for the server to cancel its job. */
const cancelMs = 5000;

type AnyKernel = ((...args: never[]) => unknown) | KernelModule<never, unknown> | string | URL;

/** A connection to a server: the customer's verbs. Made by `connect`. */
export class Hands {
  readonly #http: HttpClient;
  readonly #api: Api;
  /** Kernels that the server is known to have. */
  readonly #kernels = new Set<Sha256>();
  readonly #name: string | undefined;
  readonly #priority: number | undefined;

  constructor(http: HttpClient, name?: string, priority?: number) {
    this.#http = http;
    this.#api = new Api(http);
    this.#name = name;
    this.#priority = priority;
  }

  /** Address of the server. */
  get url(): string {
    return this.#http.url;
  }

  /** The REST interface beneath, for what the verbs here do not cover (tokens, clients). */
  get api(): Api {
    return this.#api;
  }

  /**
   * Applies a kernel to every input on the clients of the server. Returns at once; await the job for an array in the
   * order of the inputs, or iterate it as tasks complete.
   *
   * A kernel function travels as its source text: it sees `input`, `ctx` and the language, not the variables around it.
   * Inputs may be endless or slow; they are enumerated as fast as the server takes them.
   *
   * With `key`, a job that was made before is gone on with, whatever became of it. Its inputs are sent again from the first and
   * compared with those it has: CONFLICT when one differs, when there are fewer or more, and when kernel or options are others
   * (all but `name` and `priority` are compared).
   *
   * When the inputs throw, or one of them is refused, what waits on the job rejects once the job is cancelled; one with a `key`
   * stays open instead, for the program to go on with.
   *
   * @throws PlatformError BAD_ARGUMENT for what is no kernel, no list of inputs, or more than one
   */
  map<Input, Output>(
    kernel: KernelFunction<Input, Output>,
    inputs: Inputs<Input>,
    options?: MapOptions,
  ): Job<Output>;
  map<Input, Output>(
    kernel: KernelModule<Input, Output>,
    inputs: Inputs<Input>,
    options?: MapOptions,
  ): Job<Output>;
  map(kernel: string | URL, inputs: Inputs<Value>, options?: MapOptions): Job;
  map(kernel: AnyKernel, inputs: Inputs<unknown>, options: MapOptions = {}, ...rest: never[]): Job<unknown> {
    checkMapArguments(kernel, inputs, options, rest.length);
    const over = new AbortController();
    const givenUp = new AbortController();
    // Who waits is told once the server is: a program may end there and then.
    let leaving: Promise<void> | undefined;
    const leave = (reason: unknown, id?: JobId): Promise<void> => {
      const cancelled = id === undefined ? Promise.resolve() : this.#cancelUnwanted(id);
      return (leaving ??= cancelled.then(() => over.abort(reason)));
    };
    const created = this.#create(kernel, options, givenUp.signal);
    const id = created.then((job) => job.id);
    const ended = onAbort(options.signal, (reason) => {
      givenUp.abort(reason);
      void id.then(
        (made) => leave(reason, made),
        () => leave(reason),
      );
    });
    const same = new SameInputs();
    const submitted = same.follow(
      this.#submit(created, inputs as Inputs<Value>, options, givenUp.signal, leave, same),
    );
    // The results of a job that had all its inputs before are those of these inputs only when they were found the same.
    const verified = created.then((job) => (job.state === "open" ? undefined : submitted));
    return new Job<unknown>(
      this.#api,
      { id, submitted, verified, same, over, left: () => leaving, ended },
      options,
    );
  }

  /** A job that was made before, by this program or another. `Output` is what its kernel returns. */
  job<Output = Value>(id: string, options: WatchOptions = {}): Job<Output> {
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
    const parts = { id: Promise.resolve(parsed.output), submitted: there, verified: there, over, ended };
    return new Job<Output>(this.#api, { ...parts, left: () => undefined }, options);
  }

  /** Your jobs (an administrator's: everybody's), newest first; all, or those that a filter lets through. */
  jobs(filter: JobListFilter = {}): Promise<JobInfo[]> {
    return this.#api.jobs(filter);
  }

  /** The jobs that were submitted with this `group`: listed and cancelled together. */
  group(name: string): Group {
    return new Group(this.#api, name);
  }

  /**
   * Stores bytes on the server under their SHA-256 and returns the reference to pass in inputs; bytes that the server has
   * are not sent. A string is the path of a file. Files are never held whole; a stream waits in a temporary file, because
   * its name is known only at its end.
   */
  put(source: PutSource, options: { signal?: AbortSignal } = {}): Promise<DataReference> {
    return putBlob(this.#http, source, options.signal);
  }

  /**
   * Pushes data to clients before tasks need it, in the background, behind what their tasks fetch: to all that are connected,
   * and those that join meanwhile. Whole blobs or slices. Await it until each has it, or as much as its cache takes (`short`
   * counts those that have not all of it, `problems` says why); with no client connected it waits for the first, as a job does.
   *
   * @param refs - as {@link put} returns them, or slices of those; up to 4,096
   * @throws PlatformError NOT_FOUND when the server has not got one of them, TOO_MANY, BAD_ARGUMENT; the reason of `signal`
   */
  precache(refs: DataReference | Iterable<DataReference>, options: PrecacheOptions = {}): Precache {
    return new Precache(this.#http, DataReference.is(refs) ? [refs] : [...refs], options);
  }

  /** The bytes that a reference stands for. @throws PlatformError NOT_FOUND, HASH_MISMATCH */
  get(reference: DataReference, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return getBlob(this.#http, reference, options.signal);
  }

  /** The same in chunks, for what should not be held whole. */
  stream(
    reference: DataReference,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return streamBlob(this.#http, reference, options.signal);
  }

  /** The clients that the server knows. */
  clients(): Promise<ClientInfo[]> {
    return this.#api.clients();
  }

  /** What the clients can do together: slots, busy ones, measured and expected tasks a second, by kind of client. */
  capacity(): Promise<Capacity> {
    return this.#api.capacity();
  }

  /** The server as a whole. */
  status(): Promise<ServerStatus> {
    return this.#api.status();
  }

  /** Ends this connection: whatever waits on it rejects. Jobs go on. */
  close(): void {
    this.#http.close();
  }

  /** `await using hands = await connect()` closes by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #create(kernel: AnyKernel, options: MapOptions, signal: AbortSignal): Promise<JobInfo> {
    signal.throwIfAborted();
    const source = await sourceOf(kernel);
    const sha256 = createHash("sha256").update(source).digest("hex") as Sha256;
    const { onProgress: _, signal: __, failFast, window: ___, after = [], ...jobOptions } = options;
    const request = {
      ...(this.#priority !== undefined && { priority: this.#priority }),
      ...jobOptions,
      ...(failFast === false && { failFast }),
      ...(after.length > 0 && { after: await Promise.all(after.map(idOf)) }),
      name: options.name ?? this.#name ?? nameOf(kernel),
      // A random key costs nothing and makes a repeated request find the job that the lost reply had made.
      key: options.key ?? `${onceKeyPrefix}${randomUUID()}`,
      kernel: sha256,
    };
    if (!this.#kernels.has(sha256)) await this.#putKernel(source, sha256, signal);
    try {
      return await this.#api.createJob(request, { signal });
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === "BAD_REQUEST")
        throw new PlatformError("BAD_ARGUMENT", `The options of the job: ${error.message}`, error);
      // A server that was set up anew since then.
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
    inputs: Inputs<Value>,
    options: MapOptions,
    signal: AbortSignal,
    leave: (reason: unknown, id?: JobId) => Promise<void>,
    same: SameInputs,
  ): Promise<void> {
    let job: JobInfo | undefined;
    try {
      job = await created;
      same.known(job.counts.total);
      // Before it had a single input: whoever awaits the job is told the same.
      if (job.state === "blocked" && job.counts.total === 0)
        throw new PlatformError("JOB_BLOCKED", whyBlocked(job));
      await submitInputs(this.#api, job, inputs, {
        signal,
        window: options.window,
        onTaken: (count) => same.taken(count),
      });
    } catch (error) {
      // Whoever gave up had the job cancelled.
      if (signal.aborted) throw error;
      const ended = job && (await this.#endedElsewhere(job, error));
      // Its results say what happened, so those who read them are left to it.
      if (ended) throw ended;
      // With a key, somebody can go on with it.
      await leave(error, options.key === undefined ? job?.id : undefined);
      throw error;
    }
  }

  /** Cancels a job that nobody waits for; when the server cannot be told, the job stays open for want of inputs. */
  async #cancelUnwanted(id: JobId): Promise<void> {
    const signal = AbortSignal.timeout(cancelMs);
    await this.#api.act(id, "cancel", { patienceMs: 0, signal }).catch(() => undefined);
  }

  /** A job that was ended while its inputs were still coming refuses them: why, or undefined when that is not what went wrong. */
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

/** Calls back when `signal` is aborted, or at once when it is; returns what ends that. */
function onAbort(signal: AbortSignal | undefined, callback: (reason: unknown) => void): () => void {
  const listener = (): void => callback(signal?.reason);
  signal?.addEventListener("abort", listener, { once: true });
  if (signal?.aborted) listener();
  return () => signal?.removeEventListener("abort", listener);
}

async function idOf(job: string | Job<unknown>): Promise<string> {
  return typeof job === "string" ? job : job.id;
}

async function sourceOf(kernel: AnyKernel): Promise<string> {
  if (typeof kernel === "function") return moduleOfFunction(kernel);
  return bundleKernel(urlOf(kernel));
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
