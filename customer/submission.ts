import { setTimeout as sleep } from "node:timers/promises";
import type { BlobName } from "../shared/data-reference.ts";
import type { Value } from "../shared/wire/codec.ts";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { Api } from "./api.ts";
import { SubmitSocket } from "./submit-socket.ts";
import { largestBatchTasks, TaskBatch, type EncodedInput } from "./task-batch.ts";

/** Inputs of a job, enumerated once and in order; an input's position is its task's index. */
export type Inputs<Input> = Iterable<Input> | AsyncIterable<Input>;

/** The first request is small, so that clients can begin at once; each request may hold twice as much as the one before. */
const firstBatchTasks = 128;

/**
 * After `fewRequests` requests of at most `fewTasks` tasks each the program seems to wait for results, which is worth a submit
 * socket.
 */
const fewTasks = 16;
const fewRequests = 4;

/** Period in which a job with a window checks for ended tasks. */
const windowPollMs = 250;

interface SubmissionOptions {
  readonly signal: AbortSignal;
  /** Most unfinished tasks. */
  readonly window: number | undefined;
  /** Blobs that every task names beside those of its input. */
  readonly refs: readonly BlobName[];
  /** Called when the server has taken all inputs below an index. */
  readonly onTaken: (count: number) => void;
}

/**
 * Streams inputs to the server, with one request under way while the next fills: a slow server delays the enumeration, and a
 * slow enumeration sends the inputs so far. After a lost reply, the same index with the same input is one task. The last
 * request closes the job, because a separate request would be a third of the time of a one-task job.
 *
 * Inputs that come one by one go over a WebSocket of the job after the first few, see {@link SubmitSocket}.
 */
export async function submitInputs(
  api: Api,
  job: JobInfo,
  inputs: Inputs<Value | EncodedInput>,
  options: SubmissionOptions,
): Promise<void> {
  if (Array.isArray(inputs)) mustFit(job, inputs.length);
  const sender = new Sender(api, job.id, options);
  // The enumeration may wait for an input for ever, and a failure must not wait with it.
  try {
    await Promise.race([enumerate(inputs, sender), sender.broken]);
    mustFit(job, sender.count);
    await sender.close();
  } catch (error) {
    // A job with all its inputs takes the same inputs again, and no others.
    if (hasAllInputs(job) && PlatformError.from(error).code === "WRONG_STATE")
      throw otherInputs(job, "more", error);
    throw error;
  } finally {
    sender.end();
  }
}

/** @throws PlatformError CONFLICT when the job was found by its key and has another number of inputs */
function mustFit(job: JobInfo, count: number): void {
  if (count < job.counts.total || (hasAllInputs(job) && count > job.counts.total))
    throw otherInputs(job, `${count}`);
}

function otherInputs({ key, id, counts }: JobInfo, given: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "CONFLICT",
    `The key "${key}" stands for job ${id}, which has ${counts.total} inputs; ${given} were given now. Expected the same inputs, or another key.`,
    cause,
  );
}

function hasAllInputs({ state }: JobInfo): boolean {
  return state === "closed" || state === "finished";
}

async function enumerate(inputs: Inputs<Value | EncodedInput>, sender: Sender): Promise<void> {
  if (Symbol.asyncIterator in inputs) {
    for await (const input of inputs) await sender.add(input);
    return;
  }
  for (const input of inputs) {
    // Awaiting each input of a long list would cost more than sending it.
    const wait = sender.add(input);
    if (wait) await wait;
  }
}

class Sender {
  readonly #api: Api;
  readonly #id: JobId;
  readonly #options: SubmissionOptions;
  /** Number of inputs so far. */
  count = 0;
  #ended = 0;
  #filling: TaskBatch;
  /** The request under way; settles with its outcome. */
  #sending: Promise<void> | undefined;
  #scheduled = false;
  /** Whether the inputs have ended, so that the next request is the last. */
  #closing = false;
  #closed = false;
  #batchTasks = firstBatchTasks;
  #smallRequests = 0;
  readonly #socket: SubmitSocket;
  readonly #broken = Promise.withResolvers<never>();
  #failure: { error: unknown } | undefined;
  #over = false;

  constructor(api: Api, id: JobId, options: SubmissionOptions) {
    this.#api = api;
    this.#id = id;
    this.#options = options;
    this.#socket = new SubmitSocket(api.http, id);
    this.#filling = this.#emptyBatch();
    this.#broken.promise.catch(() => undefined);
    options.signal.addEventListener("abort", () => this.#broken.reject(options.signal.reason), {
      once: true,
    });
  }

  /** Rejects when a request failed for good or the signal was aborted; never resolves. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** Takes an input. @returns a promise to wait for before the next input, if necessary */
  add(input: Value | EncodedInput): Promise<void> | undefined {
    this.#throwIfFailed();
    this.#filling.add(input);
    this.count++;
    this.#schedule();
    const { window } = this.#options;
    if (window !== undefined && this.count - this.#ended >= window) return this.#waitForWindow(window);
    return this.#filling.isFull ? this.#waitForRoom() : undefined;
  }

  /** Sends the remaining inputs and closes the job. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#finish();
    if (!this.#closed) await this.#api.act(this.#id, "close", { signal: this.#options.signal });
  }

  /** Ends sending and drops the remaining inputs. */
  end(): void {
    this.#over = true;
    this.#socket.close();
  }

  async #finish(): Promise<void> {
    while (this.#sending || this.#filling.length > 0) {
      this.#send();
      await this.#sending;
      this.#throwIfFailed();
    }
  }

  /** Sends at the end of this turn of the event loop, so that inputs of one turn travel together. */
  #schedule(): void {
    if (this.#scheduled || this.#sending) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#sending || this.#failure || this.#over || this.#filling.length === 0) return;
    const batch = this.#filling;
    this.#filling = this.#emptyBatch();
    this.#sending = this.#post(batch)
      .then(() => this.#options.onTaken(batch.end))
      .catch((error: unknown) => {
        this.#failure = { error };
        this.#broken.reject(error);
      })
      .finally(() => {
        this.#sending = undefined;
        if (this.#filling.length > 0) this.#schedule();
      });
  }

  async #post(batch: TaskBatch): Promise<void> {
    const { signal } = this.#options;
    const close = this.#closing;
    const body = await batch.body();
    const isFew = !close && batch.length <= fewTasks && this.#smallRequests++ >= fewRequests;
    // A pack takes one round trip over either connection, and only a POST is compressed.
    if (isFew && !this.#api.http.isCompressed(body) && (await this.#socket.submit(body))) return;
    await this.#api.submit(this.#id, body, { signal, close });
    this.#closed = close;
  }

  async #waitForRoom(): Promise<void> {
    await this.#sending;
    this.#throwIfFailed();
    this.#send();
  }

  async #waitForWindow(window: number): Promise<void> {
    await this.#finish();
    for (;;) {
      const { done, failed, cancelled } = (await this.#api.job(this.#id, { signal: this.#options.signal }))
        .counts;
      this.#ended = done + failed + cancelled;
      if (this.count - this.#ended < window) return;
      await sleep(windowPollMs, undefined, { signal: this.#options.signal });
    }
  }

  #emptyBatch(): TaskBatch {
    const maxTasks = this.#batchTasks;
    this.#batchTasks = Math.min(maxTasks * 2, largestBatchTasks);
    const { signal, refs } = this.#options;
    return new TaskBatch(this.#api.http, signal, { first: this.count, maxTasks, refs });
  }

  #throwIfFailed(): void {
    this.#options.signal.throwIfAborted();
    if (this.#failure) throw this.#failure.error;
  }
}
