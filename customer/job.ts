import type { Value } from "../shared/wire/codec.ts";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import type { Attachment } from "../shared/wire/rest/attachments.ts";
import type { FailureGroups } from "../shared/wire/rest/failures.ts";
import { hasEnded } from "../shared/wire/rest/job-state.ts";
import type { JobInfo } from "../shared/wire/rest/jobs.ts";
import type { Requeue } from "../shared/wire/rest/requeue.ts";
import type { JobCostInfo } from "../shared/wire/rest/tasks.ts";
import type { SetVerify, Statement } from "../shared/wire/rest/verification.ts";
import { valueFromJson } from "../shared/wire/value-json.ts";
import type { Api, LogLine } from "./api.ts";
import { Flattened } from "./flattened.ts";
import { Outputs } from "./outputs.ts";
import { streamOutcomes, type JobEnd, type OutcomeBatch, type TaskOutcome } from "./outcomes.ts";
import { progressOf, watchProgress, type Progress } from "./progress.ts";
import { followProvisional, streamProvisional } from "./provisional.ts";
import type { KernelModule } from "./kernel/kernel-source.ts";
import type { AnyCombine, Combine } from "./kernel/reducing.ts";
import { Reduction, type CombineOptions, type StartJob } from "./reduction.ts";
import type { SameInputs } from "./same-inputs.ts";
import { TaskError, TaskFailedError } from "./task-error.ts";
import type { WatchOptions } from "./watch-options.ts";
import { whyBlocked, whyQuarantined } from "./why-ended.ts";

/** Outcome of a task after the end of its job. */
export type SettledTask<Output> =
  | { readonly index: number; readonly status: "done"; readonly output: Output }
  | { readonly index: number; readonly status: "failed"; readonly error: TaskError }
  | { readonly index: number; readonly status: "cancelled" };

/** A result of a volunteer that is not accepted yet. */
export interface ProvisionalResult<Output> {
  readonly index: number;
  readonly output: Output;
  /** The volunteer's id. */
  readonly client: string;
}

/** News of a job's provisional results: a result, or its acceptance or withdrawal. */
export type ProvisionalNews<Output> =
  | ({ readonly state: "provisional" } & ProvisionalResult<Output>)
  /** The result is the outcome of its task. */
  | { readonly state: "accepted"; readonly index: number; readonly client: string }
  /** The result is not taken: another one is the outcome of its task, or will be. */
  | { readonly state: "withdrawn"; readonly index: number; readonly client: string };

/**
 * A job on the server. Await it for the outputs in the order of the inputs; iterate it for outcomes as they are completed. Both
 * start from the first result, any number of times, in this process or another (`hands.job(id)`).
 *
 * A job is awaitable, so an async function that returns a job waits for its outputs: return `{ job }` to hand on the job
 * itself.
 */
export class Job<Output = Value> implements PromiseLike<Output[]>, AsyncIterable<TaskOutcome<Output>> {
  /** The job's id, after the server has made the job. */
  readonly id: Promise<JobId>;
  /** Resolves when every input is on the server's disk: from then on the job goes on without this program. */
  readonly submitted: Promise<void>;
  /** Resolves when the results are known to belong to the given inputs. */
  readonly #verified: Promise<void>;
  /** Absent where no inputs were given. */
  readonly #same: SameInputs | undefined;
  /** Given inputs on which each task depends. */
  readonly #inputsPerTask: number;
  readonly #api: Api;
  readonly #start: StartJob;
  readonly #options: WatchOptions<Output>;
  /** Aborted at the end of this view of the job: the submission failed, or the caller gave up. */
  readonly #over: AbortController;
  readonly #watched = new AbortController();
  /** The pending cancellation of a job that failed or was given up; it aborts {@link #over} in the end. */
  readonly #left: () => Promise<void> | undefined;
  /** Called when this view sees the end of the job. */
  readonly #ended: () => void;
  /** Ends this view of the job with an error of the program. */
  readonly #giveUp: (reason: unknown) => Promise<void>;
  #outputs: Promise<Output[]> | undefined;
  /** The newest outcome that `onResult` was called with. */
  #toldSeq = 0;
  /** Whether `onProgress` was called for the end. */
  #endTold = false;

  /** Made by `hands.map` and `hands.job`. */
  constructor(
    api: Api,
    parts: {
      id: Promise<JobId>;
      submitted: Promise<void>;
      verified: Promise<void>;
      same?: SameInputs | undefined;
      inputsPerTask?: number;
      start: StartJob;
      over: AbortController;
      left: () => Promise<void> | undefined;
      ended: () => void;
      giveUp: (reason: unknown) => Promise<void>;
    },
    options: WatchOptions<Output>,
  ) {
    this.#api = api;
    this.#options = options;
    this.#over = parts.over;
    this.id = parts.id;
    // Callers that use the id see its rejection; without such a caller it must not be an unhandled one.
    this.id.catch(() => undefined);
    this.submitted = parts.submitted;
    this.#verified = parts.verified;
    this.#verified.catch(() => undefined);
    this.#same = parts.same;
    this.#inputsPerTask = parts.inputsPerTask ?? 1;
    this.#start = parts.start;
    this.#left = parts.left;
    this.#ended = parts.ended;
    this.#giveUp = parts.giveUp;
    if (options.onProgress) void this.#watch();
    if (options.onResult) {
      this.#outputs = this.#collect();
      // Awaiting the job tells of the failure.
      this.#outputs.catch(() => undefined);
    }
  }

  /** Awaits every output, in the order of the inputs. @throws TaskFailedError, PlatformError JOB_CANCELLED, … */
  // oxlint-disable-next-line unicorn/no-thenable -- `await hands.map(…)` is the point of the interface
  then<Fulfilled = Output[], Rejected = never>(
    onFulfilled?: ((outputs: Output[]) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const outputs = (this.#outputs ??= this.#collect());
    // A failed job may go on later, so the next await starts anew.
    outputs.catch(() => {
      if (this.#outputs === outputs) this.#outputs = undefined;
    });
    return outputs.then(onFulfilled, onRejected);
  }

  /** Iterates as {@link outcomes} does. */
  [Symbol.asyncIterator](): AsyncGenerator<TaskOutcome<Output>, void, undefined> {
    return this.outcomes();
  }

  /**
   * Outcomes in completion order, failed tasks included. Leaving the loop stops reading, not the job, unless the job has
   * `onBreak: "cancel"`. A task that is requeued after a failure comes again.
   *
   * @param options.after - start after the outcome with this `seq`; 0 is the beginning
   * @param options.follow - false: end after the present outcomes, not with the job
   * @throws PlatformError JOB_CANCELLED, JOB_QUARANTINED, JOB_BLOCKED at the end of such a job
   */
  outcomes(
    options: { after?: number; follow?: boolean } = {},
  ): AsyncGenerator<TaskOutcome<Output>, void, undefined> {
    return new Flattened(this.#untilFinished(options));
  }

  /**
   * The outputs as inputs of another job: `hands.map(kernel, job.outputs())`. They do not pass through this program.
   * A task that fails here has a failed task there.
   *
   * @param options.perTask - each input is the array of the outputs of so many neighbouring tasks (2 … 1024), the last of fewer. A job
   *   with such inputs needs all of them: while a task here has failed, it is `blocked`.
   */
  outputs(): Outputs<Output>;
  outputs(options: { perTask: number }): Outputs<Output[]>;
  outputs({ perTask }: { perTask?: number } = {}): Outputs<Output> | Outputs<Output[]> {
    const each = new Outputs<Output>({
      job: this.id,
      submitted: this.submitted,
      same: this.#same,
      left: this.#left,
      perTask: undefined,
      inputsPerTask: this.#inputsPerTask,
    });
    return perTask === undefined ? each : each.inGroups(perTask);
  }

  /**
   * Combines the outputs into one value on the clients: `combine(a, b)` of neighbouring outputs, then of what that gave, level by level. The order
   * is that of the inputs, so equal outputs give equal bits, whichever clients combine them.
   *
   * @param combine - an associative function, or a kernel module that exports one as `combine`
   * @example
   * const sum = await hands.map(simulate, seeds).reduce((a, b) => a + b);
   */
  reduce(combine: Combine<Output>, options?: CombineOptions): Reduction<Output>;
  reduce(combine: KernelModule<never, Output> | string | URL, options?: CombineOptions): Reduction<Output>;
  reduce(combine: AnyCombine, options: CombineOptions = {}): Reduction<Output> {
    return new Reduction<Output>(this, this.#start, combine, options);
  }

  /** Waits for the end of the job. @returns how each task ended; rejects only when the server cannot be asked */
  async settled(): Promise<SettledTask<Output>[]> {
    const tasks: SettledTask<Output>[] = [];
    const { job, counts } = await this.#eachOutcome(({ index, error, output }) => {
      tasks[index] = error ? { index, status: "failed", error } : { index, status: "done", output };
    });
    // A quarantined or blocked job has one reason for all unfinished tasks, not a failure of each.
    const asWhole = job === "quarantined" || job === "blocked";
    const reason = asWhole ? (await this.status()).failures.at(-1) : undefined;
    for (let index = 0; index < counts.total; index++)
      tasks[index] ??= reason
        ? { index, status: "failed", error: new TaskError({ ...reason, index }) }
        : { index, status: "cancelled" };
    return tasks;
  }

  /** State of the job: counts, rate, estimated end, first failures. */
  async status(): Promise<JobInfo> {
    return this.#api.job(await this.id);
  }

  /** Cancels the job: running kernels are terminated; results so far stay. */
  async cancel(): Promise<JobInfo> {
    // The server refuses inputs that are still coming, which is expected.
    this.submitted.catch(() => undefined);
    return this.#api.act(await this.id, "cancel");
  }

  /** Hands out no more tasks until {@link resume}; running tasks finish. */
  async pause(): Promise<JobInfo> {
    return this.#api.act(await this.id, "pause");
  }

  /** Goes on after {@link pause}. */
  async resume(): Promise<JobInfo> {
    return this.#api.act(await this.id, "resume");
  }

  /**
   * Tries the failed tasks once more, with all their attempts, and resolves to their number; await or iterate the job again.
   * @param only - `message`: failures with these words in their message; `group`: those of a group of {@link failureGroups}
   */
  async requeueFailed(only: Requeue = {}): Promise<number> {
    const requeued = await this.#api.requeueFailed(await this.id, only);
    this.#outputs = undefined;
    this.#endTold = false;
    return requeued;
  }

  /** The failed tasks by what failed, the largest group first. */
  async failureGroups(): Promise<FailureGroups> {
    return this.#api.failureGroups(await this.id);
  }

  /** Cost of the job so far: time of the clients' slots in ms, attempts, and the slowest tasks. */
  async cost(): Promise<JobCostInfo> {
    return this.#api.cost(await this.id);
  }

  /**
   * Attaches a picture, text or table to the job, for the job's page: PNG, SVG, text or CSV, by the ending of the name; in place of one of
   * the same name, also after the job's end. It counts to the quota, and is deleted with the job.
   * @throws PlatformError QUOTA_EXCEEDED, UNSUPPORTED_TYPE for another ending, TOO_LARGE beyond 4 MiB
   */
  async attach(name: string, content: Uint8Array | string): Promise<Attachment> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content);
    return this.#api.attach(await this.id, name, bytes);
  }

  /** What is attached to the job, in order of names. */
  async attachments(): Promise<Attachment[]> {
    return this.#api.attachments(await this.id);
  }

  /** The bytes of an attachment. @throws PlatformError NOT_FOUND */
  async attachment(name: string): Promise<Uint8Array> {
    return this.#api.attachment(await this.id, name);
  }

  /** Takes an attachment away. @throws PlatformError NOT_FOUND */
  async detach(name: string): Promise<void> {
    return this.#api.detach(await this.id, name);
  }

  /** Jobs of higher priority go first; -1000 … 1000, by default 0. */
  async setPriority(priority: number): Promise<JobInfo> {
    return this.#api.setPriority(await this.id, priority);
  }

  /**
   * Changes the verification of volunteers' results; absent options keep their values. Volunteers get tasks of a job that is not
   * reproducible (`statement.irreproducible`) only after such a change.
   *
   * @throws PlatformError WRONG_STATE when the job has ended, BAD_REQUEST for options that do not go together
   */
  async setVerify(options: SetVerify): Promise<JobInfo> {
    return this.#api.setVerify(await this.id, options);
  }

  /** Counts of the verification of volunteers' results so far; `statementText(await job.status())` makes a sentence of them. */
  async statement(): Promise<Statement> {
    return (await this.status()).statement;
  }

  /**
   * Results of volunteers that are not accepted yet, lowest index first. Any of them may be wrong, and withdrawn later; await or
   * iterate the job for accepted results.
   *
   * @param options.after - only results of tasks with a greater index
   * @param options.follow - go on until the job has ended: each result is given as it is delivered, and one notice when it is accepted
   *   or withdrawn
   */
  provisional(options?: {
    after?: number;
    follow?: false;
  }): AsyncGenerator<ProvisionalResult<Output>, void, undefined>;
  provisional(options: {
    after?: number;
    follow: true;
  }): AsyncGenerator<ProvisionalNews<Output>, void, undefined>;
  provisional({ after, follow = false }: { after?: number; follow?: boolean } = {}): AsyncGenerator<
    ProvisionalResult<Output> | ProvisionalNews<Output>,
    void,
    undefined
  > {
    return follow ? this.#followProvisional(after) : this.#presentProvisional(after);
  }

  async *#presentProvisional(
    after: number | undefined,
  ): AsyncGenerator<ProvisionalResult<Output>, void, undefined> {
    for await (const line of streamProvisional(this.#api.http, await this.id, after)) {
      const { index, client, message } = line;
      // An unreadable output, which only a hostile client makes, will not be accepted.
      if (message === undefined) yield { index, client, output: valueFromJson(line.output) as Output };
    }
  }

  async *#followProvisional(
    after: number | undefined,
  ): AsyncGenerator<ProvisionalNews<Output>, void, undefined> {
    for await (const told of followProvisional(this.#api.http, await this.id, after)) {
      const { state, index, client } = told;
      if (state === "provisional")
        yield { state, index, client, output: valueFromJson(told.output) as Output };
      else yield { state, index, client };
    }
  }

  /** The newest lines that kernels of this job wrote with `ctx.log`, oldest first. */
  async logs(): Promise<LogLine[]> {
    return this.#api.logs(await this.id);
  }

  /** Makes the server forget the job with its results; running tasks are cancelled. */
  async delete(): Promise<void> {
    return this.#api.deleteJob(await this.id);
  }

  /** Calls back with every outcome until the job has ended; a promise that the callback returns is awaited. */
  async #eachOutcome(callback: (outcome: TaskOutcome<Output>) => void | Promise<void>): Promise<JobEnd> {
    const batches = this.#batches({});
    try {
      let step = await batches.next();
      for (; !step.done; step = await batches.next())
        for (const outcome of step.value) {
          const wait = callback(outcome);
          if (wait) await wait;
        }
      if (step.value) return step.value;
    } finally {
      await batches.return(undefined);
    }
    throw new PlatformError("INTERNAL", `The results of job ${await this.id} ended before the job did.`);
  }

  async *#untilFinished(options: {
    after?: number;
    follow?: boolean;
  }): AsyncGenerator<OutcomeBatch<Output>, void, undefined> {
    let isLeft = true;
    try {
      const end = yield* this.#ownBatches(options);
      isLeft = false;
      if (end) await this.#throwUnlessFinished(end);
    } catch (error) {
      isLeft = false;
      throw error;
    } finally {
      if (isLeft && this.#options.onBreak === "cancel") await this.cancel();
    }
  }

  /** Calls `onResult`, once for each outcome. */
  #deliver(outcome: TaskOutcome<Output>): Promise<void> | undefined {
    if (!this.#options.onResult || outcome.seq <= this.#toldSeq) return undefined;
    this.#toldSeq = outcome.seq;
    return this.#callOnResult(outcome);
  }

  async #callOnResult(outcome: TaskOutcome<Output>): Promise<void> {
    try {
      await this.#options.onResult?.(outcome);
    } catch (error) {
      await this.#giveUp(error);
      throw error;
    }
  }

  /** Batches of tasks whose inputs are known to be those that were given. */
  async *#ownBatches(options: {
    after?: number;
    follow?: boolean;
  }): AsyncGenerator<OutcomeBatch<Output>, JobEnd | undefined, undefined> {
    const batches = this.#batches(options);
    const same = this.#same;
    if (!same) return yield* batches;
    const of = this.#inputsPerTask;
    const signal = AbortSignal.any([this.#over.signal, this.#api.http.closed]);
    try {
      let step = await batches.next();
      for (; !step.done; step = await batches.next())
        if (same.areAll) yield step.value;
        else
          for (const outcome of step.value) {
            await same.found(signal, outcome.index * of, (outcome.index + 1) * of);
            yield [outcome];
          }
      return step.value;
    } finally {
      await batches.return(undefined);
    }
  }

  async *#batches({
    after = 0,
    follow = true,
  }: {
    after?: number;
    follow?: boolean;
  }): AsyncGenerator<OutcomeBatch<Output>, JobEnd | undefined, undefined> {
    // A failed submission ends every consumer through #over, which reports it.
    this.submitted.catch(() => undefined);
    const { signal } = this.#over;
    const id = await this.id;
    const end = yield* streamOutcomes(this.#api.http, id, { after, follow, signal }) as AsyncGenerator<
      OutcomeBatch<Output>,
      JobEnd | undefined
    >;
    if (!end) return undefined;
    this.#watched.abort();
    // The end of an unfinished job is reported, and not the refusal of its inputs; inputs of another job have aborted `signal`.
    await (end.job === "finished" ? this.#verified : this.#verified.catch(() => undefined));
    await this.#left();
    signal.throwIfAborted();
    this.#ended();
    this.#tell(finalProgress(end));
    return end;
  }

  async #collect(): Promise<Output[]> {
    const outputs: Output[] = [];
    const failures = new Map<number, TaskError>();
    let end: JobEnd;
    try {
      const take = ({ index, error, output }: TaskOutcome<Output>): void => {
        if (error && this.#options.failFast) throw error;
        if (error) failures.set(index, error);
        else {
          if (failures.size > 0) failures.delete(index);
          outputs[index] = output;
        }
      };
      end = await this.#eachOutcome((outcome) => {
        const told = this.#deliver(outcome);
        return told ? told.then(() => take(outcome)) : take(outcome);
      });
    } catch (error) {
      if (error instanceof TaskError) return this.#failFast(error);
      throw error;
    }
    await this.#throwUnlessFinished(end);
    const inOrder = [...failures.values()].sort((a, b) => a.index - b.index);
    if (inOrder.length > 0) throw new TaskFailedError(inOrder, end.counts.total);
    return outputs;
  }

  async #failFast(error: TaskError): Promise<never> {
    const { counts } = await this.cancel();
    throw new TaskFailedError([error], counts.total);
  }

  async #throwUnlessFinished(end: JobEnd): Promise<void> {
    if (end.job === "finished") return;
    const { total, done } = end.counts;
    const message = `Job ${await this.id} was ${end.job} with ${done} of ${total} tasks done.`;
    if (end.job === "blocked") throw new PlatformError("JOB_BLOCKED", whyBlocked(await this.status()));
    if (end.job !== "quarantined") throw new PlatformError("JOB_CANCELLED", message);
    const job = await this.status();
    const failures = job.failures.map((failure) => new TaskError(failure));
    throw new PlatformError("JOB_QUARANTINED", whyQuarantined(job), new TaskFailedError(failures, total));
  }

  /** The end is both pushed and seen by each consumer of the results, but told once. */
  #tell(progress: Progress): void {
    const isEnd = hasEnded(progress.state);
    if (isEnd && this.#endTold) return;
    this.#endTold = isEnd;
    this.#options.onProgress?.(progress);
  }

  /**
   * Tells `onProgress` the end of a job that has ended and whose results nobody reads, unless that was told.
   * @internal
   */
  async tellEnd(): Promise<void> {
    if (this.#options.onProgress && !this.#endTold) this.#tell(progressOf(await this.status()));
  }

  async #watch(): Promise<void> {
    const id = await this.id.catch(() => undefined);
    const signal = AbortSignal.any([this.#over.signal, this.#watched.signal]);
    if (id) await watchProgress(this.#api, id, { signal, listener: (progress) => this.#tell(progress) });
  }
}

function finalProgress(end: JobEnd): Progress {
  return {
    state: end.job,
    paused: false,
    waitingFor: [],
    quotaFull: false,
    missingData: [],
    ...end.counts,
    statement: end.statement,
    fraction: 1,
    rate: 0,
    estimatedMs: 0,
    offlineMs: 0,
  };
}
