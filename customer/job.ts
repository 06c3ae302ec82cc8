import type { Value } from "../shared/wire/codec.ts";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import { hasEnded, type JobInfo } from "../shared/wire/rest.ts";
import type { Api, LogLine } from "./api.ts";
import { Flattened } from "./flattened.ts";
import { streamOutcomes, type JobEnd, type OutcomeBatch, type TaskOutcome } from "./outcomes.ts";
import { watchProgress, type Progress } from "./progress.ts";
import type { SameInputs } from "./same-inputs.ts";
import { TaskError, TaskFailedError } from "./task-error.ts";

/** What is known of one task when its job has ended, whichever way. */
export type SettledTask<Output> =
  | { readonly index: number; readonly status: "done"; readonly output: Output }
  | { readonly index: number; readonly status: "failed"; readonly error: TaskError }
  | { readonly index: number; readonly status: "cancelled" };

/** Options of one program's view of a job. */
export interface WatchOptions {
  /** Called as the job moves, at most four times a second, and once when it has ended. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Gives up: what waits on the job rejects with its reason, and a job of `hands.map` is cancelled. */
  readonly signal?: AbortSignal | undefined;
  /**
   * When failures end the whole job. Unless told otherwise, when its first tasks all fail alike, on several clients where several
   * are, and none was done: it is `quarantined`, and says why. `false`: never, every task is tried. `true`: also as soon as the
   * first task has failed for good; awaiting rejects, and the job is cancelled.
   */
  readonly failFast?: boolean | undefined;
}

/**
 * A job on the server. Await it for the outputs in the order of the inputs; iterate it for outcomes as they are
 * completed. Both start from the first result, as often as you like, in this process or another (`hands.job(id)`).
 *
 * Being awaitable, a job returned from an async function is awaited there: return `{ job }` to hand on the job itself.
 */
export class Job<Output = Value> implements PromiseLike<Output[]>, AsyncIterable<TaskOutcome<Output>> {
  /** The job's id, once the server has made it. */
  readonly id: Promise<JobId>;
  /** Resolves when every input is on the server's disk: from then on this program may end, and the job goes on. */
  readonly submitted: Promise<void>;
  /** Resolves when it is known that the results belong to the inputs that were given. */
  readonly #verified: Promise<void>;
  /** Absent where no inputs were given. */
  readonly #same: SameInputs | undefined;
  readonly #api: Api;
  readonly #options: WatchOptions;
  /** Aborted when this view of the job is over: the submission failed, or the caller gave up. */
  readonly #over: AbortController;
  readonly #watched = new AbortController();
  /** While this program cancels the job because it failed or gave up: what aborts {@link #over} in the end. */
  readonly #left: () => Promise<void> | undefined;
  /** Called when the job was seen to end. */
  readonly #ended: () => void;
  #outputs: Promise<Output[]> | undefined;
  /** Whether `onProgress` was told of the end. */
  #endTold = false;

  /** Made by `hands.map` and `hands.job`. */
  constructor(
    api: Api,
    parts: {
      id: Promise<JobId>;
      submitted: Promise<void>;
      verified: Promise<void>;
      same?: SameInputs;
      over: AbortController;
      left: () => Promise<void> | undefined;
      ended: () => void;
    },
    options: WatchOptions,
  ) {
    this.#api = api;
    this.#options = options;
    this.#over = parts.over;
    this.id = parts.id;
    // Who waits for the id is told when there is none; nobody else has to be.
    this.id.catch(() => undefined);
    this.submitted = parts.submitted;
    this.#verified = parts.verified;
    this.#verified.catch(() => undefined);
    this.#same = parts.same;
    this.#left = parts.left;
    this.#ended = parts.ended;
    if (options.onProgress) void this.#watch();
  }

  /** Awaiting: every output, in the order of the inputs. @throws TaskFailedError, PlatformError JOB_CANCELLED, … */
  // oxlint-disable-next-line unicorn/no-thenable -- `await hands.map(…)` is the point of the interface
  then<Fulfilled = Output[], Rejected = never>(
    onFulfilled?: ((outputs: Output[]) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const outputs = (this.#outputs ??= this.#collect());
    // A job that ended badly may go on later: whoever awaits it then asks anew.
    outputs.catch(() => {
      if (this.#outputs === outputs) this.#outputs = undefined;
    });
    return outputs.then(onFulfilled, onRejected);
  }

  /** Iterating: the same as {@link outcomes}. */
  [Symbol.asyncIterator](): AsyncGenerator<TaskOutcome<Output>, void, undefined> {
    return this.outcomes();
  }

  /**
   * Outcomes in completion order, failed tasks included. Leaving the loop stops reading, not the job. A task that is
   * requeued after it failed comes again.
   *
   * @param options.after - start behind the outcome with this `seq`; 0 is the beginning
   * @param options.follow - false: end with what there is now, instead of with the job
   * @throws PlatformError JOB_CANCELLED, JOB_QUARANTINED, JOB_BLOCKED at the end of a job that ended so
   */
  outcomes(
    options: { after?: number; follow?: boolean } = {},
  ): AsyncGenerator<TaskOutcome<Output>, void, undefined> {
    return new Flattened(this.#untilFinished(options));
  }

  /** Waits for the end of the job and tells how each task ended. Rejects only when the server cannot be asked. */
  async settled(): Promise<SettledTask<Output>[]> {
    const tasks: SettledTask<Output>[] = [];
    const { job, counts } = await this.#eachOutcome(({ index, error, output }) => {
      tasks[index] = error ? { index, status: "failed", error } : { index, status: "done", output };
    });
    // Neither gives every task a failure of its own: one reason stands for all that had not ended.
    const asWhole = job === "quarantined" || job === "blocked";
    const reason = asWhole ? (await this.status()).failures.at(-1) : undefined;
    for (let index = 0; index < counts.total; index++)
      tasks[index] ??= reason
        ? { index, status: "failed", error: new TaskError({ ...reason, index }) }
        : { index, status: "cancelled" };
    return tasks;
  }

  /** How the job stands: counts by state, rate, estimated end, first failures. */
  async status(): Promise<JobInfo> {
    return this.#api.job(await this.id);
  }

  /** Ends the job: running kernels are terminated; results so far stay. */
  async cancel(): Promise<JobInfo> {
    // Inputs that were still coming are refused now, which is no surprise.
    this.submitted.catch(() => undefined);
    return this.#api.act(await this.id, "cancel");
  }

  /** Hands out no more tasks until {@link resume}; what runs is finished. */
  async pause(): Promise<JobInfo> {
    return this.#api.act(await this.id, "pause");
  }

  /** Goes on after {@link pause}. */
  async resume(): Promise<JobInfo> {
    return this.#api.act(await this.id, "resume");
  }

  /** Tries the failed tasks once more, with all their attempts. Resolves to how many; await or iterate the job again. */
  async requeueFailed(): Promise<number> {
    const requeued = await this.#api.requeueFailed(await this.id);
    this.#outputs = undefined;
    this.#endTold = false;
    return requeued;
  }

  /** Jobs of higher priority go first; -1000 … 1000, 0 unless said otherwise. */
  async setPriority(priority: number): Promise<JobInfo> {
    return this.#api.setPriority(await this.id, priority);
  }

  /** The newest lines that kernels of this job wrote with `ctx.log`, oldest first. */
  async logs(): Promise<LogLine[]> {
    return this.#api.logs(await this.id);
  }

  /** Makes the server forget the job with its results; what still runs is cancelled. */
  async delete(): Promise<void> {
    return this.#api.deleteJob(await this.id);
  }

  /** Calls back with every outcome until the job has ended. */
  async #eachOutcome(callback: (outcome: TaskOutcome<Output>) => void): Promise<JobEnd> {
    const batches = this.#batches({});
    try {
      let step = await batches.next();
      for (; !step.done; step = await batches.next()) for (const outcome of step.value) callback(outcome);
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
    const end = yield* this.#ownBatches(options);
    if (end) await this.#throwUnlessFinished(end);
  }

  /** Batches of tasks whose inputs are known to be those that were given. */
  async *#ownBatches(options: {
    after?: number;
    follow?: boolean;
  }): AsyncGenerator<OutcomeBatch<Output>, JobEnd | undefined, undefined> {
    const batches = this.#batches(options);
    const same = this.#same;
    if (!same) return yield* batches;
    const signal = AbortSignal.any([this.#over.signal, this.#api.http.closed]);
    try {
      let step = await batches.next();
      for (; !step.done; step = await batches.next())
        if (same.areAll) yield step.value;
        else
          for (const outcome of step.value) {
            await same.found(outcome.index, signal);
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
    // A failed submission ends every consumer through #over, so it is reported.
    this.submitted.catch(() => undefined);
    const { signal } = this.#over;
    const id = await this.id;
    const end = yield* streamOutcomes(this.#api.http, id, { after, follow, signal }) as AsyncGenerator<
      OutcomeBatch<Output>,
      JobEnd | undefined
    >;
    if (!end) return undefined;
    this.#watched.abort();
    // A job that ended otherwise than well is told of as such, unless it is the job of other inputs: that has aborted `signal`.
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
      end = await this.#eachOutcome(({ index, error, output }) => {
        if (error && this.#options.failFast) throw error;
        if (error) failures.set(index, error);
        else {
          if (failures.size > 0) failures.delete(index);
          outputs[index] = output;
        }
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

  /** Its end is told once, although it is pushed, and seen by each consumer of the results. */
  #tell(progress: Progress): void {
    const isEnd = hasEnded(progress.state);
    if (isEnd && this.#endTold) return;
    this.#endTold = isEnd;
    this.#options.onProgress?.(progress);
  }

  async #watch(): Promise<void> {
    const id = await this.id.catch(() => undefined);
    const signal = AbortSignal.any([this.#over.signal, this.#watched.signal]);
    if (id) await watchProgress(this.#api, id, { signal, listener: (progress) => this.#tell(progress) });
  }
}

/** Why a job that is blocked can not run, for people. */
export function whyBlocked(job: JobInfo): string {
  const reason = job.failures.find(({ kind }) => kind === "blocked");
  return `Job ${job.id} is blocked: ${reason?.message ?? "a job it comes after did not finish well."}`;
}

/** Why a job was ended as a whole, for people. */
export function whyQuarantined({ id, counts: { done, total }, failures }: JobInfo): string {
  // The reason of the job stands behind those of its tasks.
  const reason = failures.at(-1)?.message ?? "";
  return `Job ${id} was quarantined with ${done} of ${total} tasks done. ${reason}`.trim();
}

function finalProgress(end: JobEnd): Progress {
  return {
    state: end.job,
    paused: false,
    waitingFor: [],
    ...end.counts,
    fraction: 1,
    rate: 0,
    estimatedMs: 0,
    offlineMs: 0,
  };
}
