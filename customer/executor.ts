import { PlatformError } from "../shared/errors.ts";
import type { Value } from "../shared/wire/codec.ts";
import type { Job } from "./job.ts";
import type { AnyKernel, ArgumentsKernel, KernelModule, OutputOf } from "./kernel/kernel-source.ts";
import { EncodedInput } from "./task-batch.ts";

/** Period without an unfinished task after which the job of a kernel is closed. */
const idleMs = 1000;

/** Makes the job of a kernel. With `takesArguments` each input is the array of the kernel's arguments. */
type StartJob = (
  kernel: AnyKernel,
  inputs: AsyncIterable<EncodedInput>,
  takesArguments: boolean,
) => Job<unknown>;

/**
 * Computes single tasks. The tasks of one kernel share a job, which is closed after a second without a task. Made by
 * `hands.executor(options)`.
 */
export class Executor {
  readonly #startJob: StartJob;
  /** The open job of each kernel. */
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with unfinished tasks, also those that take no more tasks. */
  readonly #running = new Set<Lane>();
  #isClosed = false;

  constructor(startJob: StartJob) {
    this.#startJob = startJob;
  }

  /**
   * Computes one task: `kernel(...args, ctx)`. The promise rejects with a {@link TaskError} when the kernel failed for good.
   *
   * @throws PlatformError BAD_ARGUMENT for an invalid kernel, UNSERIALISABLE, TOO_LARGE, WRONG_STATE after {@link close},
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
  async submit(kernel: AnyKernel, ...args: Value[]): Promise<unknown> {
    if (this.#isClosed)
      throw new PlatformError("WRONG_STATE", "The executor was closed; it takes no more tasks.");
    const takesArguments = args.length !== 1;
    const input = new EncodedInput(takesArguments ? args : args[0]);
    return this.#laneOf(kernel, takesArguments).submit(input);
  }

  /** Takes no more tasks, and resolves when those that were submitted have ended. */
  async close(): Promise<void> {
    void this.end();
    await Promise.all([...this.#running].map((lane) => lane.finished));
  }

  /** `await using executor = hands.executor()` closes it by itself. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Takes no more tasks. @returns a promise that resolves when the server has the tasks that were submitted */
  async end(): Promise<void> {
    this.#isClosed = true;
    const lanes = [...this.#running];
    for (const lane of lanes) lane.end();
    await Promise.allSettled(lanes.map((lane) => lane.submitted));
  }

  #laneOf(kernel: AnyKernel, takesArguments: boolean): Lane {
    const name = `${takesArguments ? "arguments" : "input"} ${identityOf(kernel)}`;
    const open = this.#lanes.get(name);
    if (open?.isOpen) return open;
    const lane = new Lane((inputs) => this.#startJob(kernel, inputs, takesArguments));
    this.#lanes.set(name, lane);
    this.#running.add(lane);
    void lane.finished.then(() => {
      this.#running.delete(lane);
      if (this.#lanes.get(name) === lane) this.#lanes.delete(name);
    });
    return lane;
  }
}

function identityOf(kernel: AnyKernel): string {
  if (typeof kernel === "function" || typeof kernel === "string") return `${typeof kernel} ${String(kernel)}`;
  return kernel instanceof URL ? kernel.href : String(kernel?.url);
}

/** The job of one kernel: inputs go in one by one, promises get the outcomes. */
class Lane {
  readonly #job: Job<unknown>;
  readonly #tasks = new Map<number, PromiseWithResolvers<unknown>>();
  #queue: EncodedInput[] = [];
  #count = 0;
  #isOpen = true;
  #wake: () => void = () => undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Resolves when no task is unfinished and none can come. */
  readonly finished: Promise<void>;

  constructor(start: (inputs: AsyncIterable<EncodedInput>) => Job<unknown>) {
    this.#job = start(this.#inputs());
    this.finished = this.#read();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get submitted(): Promise<void> {
    return this.#job.submitted;
  }

  submit(input: EncodedInput): Promise<unknown> {
    clearTimeout(this.#idle);
    const task = Promise.withResolvers<unknown>();
    this.#tasks.set(this.#count++, task);
    this.#queue.push(input);
    this.#wake();
    return task.promise;
  }

  end(): void {
    clearTimeout(this.#idle);
    this.#isOpen = false;
    this.#wake();
  }

  async *#inputs(): AsyncGenerator<EncodedInput, void, undefined> {
    for (;;) {
      const inputs = this.#queue;
      this.#queue = [];
      yield* inputs;
      if (this.#queue.length > 0) continue;
      if (!this.#isOpen) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #read(): Promise<void> {
    let reason: unknown = new PlatformError(
      "JOB_CANCELLED",
      "The job of this task ended before the task did.",
    );
    try {
      for await (const { index, error, output } of this.#job) {
        const task = this.#tasks.get(index);
        this.#tasks.delete(index);
        if (error) task?.reject(error);
        else task?.resolve(output);
        if (task && this.#tasks.size === 0 && this.#isOpen) this.#idle = setTimeout(() => this.end(), idleMs);
      }
    } catch (error) {
      reason = error;
    }
    this.end();
    for (const task of this.#tasks.values()) task.reject(reason);
    this.#tasks.clear();
  }
}
