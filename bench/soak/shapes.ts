import { randomFillSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hands } from "../../customer/hands.ts";
import type { KernelFunction } from "../../customer/kernel/kernel-source.ts";
import type { MapOptions } from "../../customer/map-options.ts";
import type { DataReference } from "../../shared/data-reference.ts";

const mib = 1024 ** 2;

/** Kinds of jobs that a soak gives to its clients. */
export interface Amounts {
  /** Size of the one large `ctx.put` of a round, in MiB. */
  readonly putMib: number;
}

/** Jobs of one round for one kind of client. */
export class Round {
  readonly #hands: Hands;
  readonly #kind: "node" | "browser";
  readonly #blobs: DataReference[] = [];
  tasks = 0;

  constructor(hands: Hands, kind: "node" | "browser") {
    this.#hands = hands;
    this.#kind = kind;
  }

  /**
   * Computes a job on clients of the kind, and has the server forget the job, so that memory that grows is not the customer's results.
   * @throws Error when tasks end otherwise than `status`
   */
  async compute<Input, Output>(
    kernel: KernelFunction<Input, Output>,
    inputs: readonly Input[],
    options: MapOptions = {},
    status: "done" | "failed" = "done",
  ): Promise<Output[]> {
    const { requires = { kind: this.#kind }, verify = "off", ...rest } = options;
    // Each task is an attempt that ends, and no number of failures ends the job.
    const fixed = { math: "native", maxAttempts: 1, failFast: false } as const;
    const job = this.#hands.map(kernel, inputs, {
      ...fixed,
      requires,
      verify,
      ...rest,
    });
    const tasks = await job.settled();
    this.tasks += tasks.length;
    const wrong = tasks.find((task) => task.status !== status);
    if (wrong ?? tasks.length !== inputs.length)
      throw new Error(`a task of ${kernel.name || "a kernel"} should be ${status}: ${JSON.stringify(wrong)}`);
    await job.delete();
    return tasks.flatMap((task) => (task.status === "done" ? [task.output] : []));
  }

  /** Starts tasks without an end, and cancels them once they compute. */
  async cancel(): Promise<void> {
    const job = this.#hands.map(
      () => {
        for (;;);
      },
      [0, 1, 2, 3],
      { math: "native", requires: { kind: this.#kind }, verify: "off" },
    );
    while ((await job.status()).counts.running === 0) await sleep(100);
    await job.cancel();
    await job.settled();
    await job.delete();
  }

  /** Random bytes on the server, until the round is over. */
  async put(size: number): Promise<DataReference> {
    const ref = await this.#hands.put(randomFillSync(new Uint8Array(size)));
    this.#blobs.push(ref);
    return ref;
  }

  async end(): Promise<void> {
    for (const { sha256 } of this.#blobs) await this.#hands.api.deleteBlob(sha256);
  }
}

/** The kinds of jobs of a round, in their order. */
export const shapes: Readonly<Record<string, (round: Round, amounts: Amounts) => Promise<unknown>>> = {
  "tiny tasks": (round) =>
    round.compute(
      (bytes) => bytes,
      Array.from({ length: 3000 }, () => new Uint8Array(100)),
    ),

  "tasks of a second": (round) =>
    round.compute(
      (ms: number) => {
        const end = Date.now() + ms;
        while (Date.now() < end);
      },
      [1000, 1000, 1000],
    ),

  async "inputs by reference"(round) {
    const whole = await Promise.all(Array.from({ length: 6 }, () => round.put(2 * mib)));
    const large = await round.put(24 * mib);
    const ranges = Array.from({ length: 8 }, (_, at) => large.slice(at * 3 * mib, at * 3 * mib + 100_000));
    await round.compute(
      async (ref: DataReference, ctx) => (await ctx.data(ref)).length,
      [...whole, ...ranges],
    );
  },

  "large outputs": (round) =>
    round.compute(
      (size: number, ctx) => new Uint8Array(size).fill(ctx.index + 1),
      Array.from({ length: 8 }, () => 4 * mib),
    ),

  "one large ctx.put": (round, { putMib }) =>
    round.compute(async (size: number, ctx) => ctx.put(new Uint8Array(size).fill(7)), [putMib * mib]),

  checkpoints: (round) =>
    round.compute(
      async (steps: number, ctx) => {
        for (let step = 0; step < steps; step++) {
          ctx.progress(step / steps);
          ctx.checkpoint(new Uint8Array(100_000).fill(step));
          ctx.log(`step ${step}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
      [20, 20],
    ),

  async failures(round) {
    const fails = async (kernel: KernelFunction<number, unknown>, count: number, options = {}) =>
      round.compute(
        kernel,
        Array.from({ length: count }, (_, at) => at),
        options,
        "failed",
      );
    await fails(() => {
      throw new Error("as expected");
    }, 20);
    await fails(() => () => 0, 5);
    await fails(() => new Uint8Array(1024 ** 3).fill(1).length, 1, { memoryMb: 64 });
    await fails(
      () => {
        for (;;);
      },
      1,
      { timeoutMs: 500 },
    );
  },

  async "many kernels"(round) {
    for (let at = 0; at < 6; at++) {
      const addend = Math.random();
      // oxlint-disable-next-line typescript/no-implied-eval -- a kernel is its source, and each has another
      const kernel = new Function("x", `return x + ${addend}`) as (x: number) => number;
      await round.compute(kernel, [1, 2]);
    }
  },

  "results of strangers": (round) =>
    round.compute(
      (x: number) => x * x,
      Array.from({ length: 60 }, (_, at) => at),
      { requires: {}, verify: "audit", math: "portable" },
    ),

  cancels: (round) => round.cancel(),
};
