import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import {
  kernelModule,
  python,
  type Hands,
  type KernelContext,
  type Reduction,
} from "../../customer/index.ts";
import type moments from "./kernels/moments.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sum = (a: number, b: number): number => a + b;
const join = (a: string, b: string): string => `${a} ${b}`;
const momentsModule = kernelModule<typeof moments>(new URL("./kernels/moments.ts", import.meta.url));

describe("reduce", () => {
  it("[REDUCE-1] counts each input once and keeps the order of the inputs, for any number of them", async () => {
    for (const count of [1, 2, 3, 17, 100]) {
      const joined = hands.reduce((x: number) => `${x}`, numbers(count), { combine: join });
      expectTypeOf(joined).toEqualTypeOf<Reduction<string>>();
      expect(await joined).toBe(numbers(count).join(" "));
    }
  });

  it("[REDUCE-1] perTask and fanIn set the tasks and levels", async () => {
    const reduction = hands.reduce((x: number) => x, numbers(100), { combine: sum, perTask: 7, fanIn: 3 });
    expect(await reduction).toBe(4950);
    const jobs = await Promise.all((await reduction.jobIds()).map((id) => hands.job(id).status()));
    expect(jobs.map(({ counts }) => counts.total)).toEqual([15, 5, 2, 1]);
    expect(jobs.map(({ name }) => name)).toEqual(["job", "job, level 1", "job, level 2", "job, level 3"]);
    expect(jobs.map(({ keepMs }) => keepMs)).toEqual([3_600_000, 3_600_000, 3_600_000, undefined]);
  });

  it("[PAR-4] its jobs have the name of the connection, unless one is given", async () => {
    const named = await platform.connect({ name: "night run" });
    const names = async (reduction: Reduction<number>) =>
      Promise.all((await reduction.jobIds()).map(async (id) => (await named.job(id).status()).name));
    const reduce = (options = {}) =>
      named.reduce((x: number) => x, [1, 2, 3], { combine: sum, perTask: 1, fanIn: 2, ...options });
    expect(await names(reduce())).toEqual(["night run", "night run", "night run"]);
    expect(await names(reduce({ name: "mine" }))).toEqual(["mine", "mine, level 1", "mine, level 2"]);
  });

  it("[REDUCE-1] gives the same bits whichever tasks are repeated", async () => {
    const run = () =>
      hands.reduce(
        (x: number, ctx: KernelContext) => {
          if (x % 30 === 3 && ctx.attempt === 1) throw new Error("lost");
          return 1 / (x + 1);
        },
        numbers(200),
        { combine: sum, perTask: 10, fanIn: 4 },
      );
    expect(await run()).toBe(await run());
  });

  it("[REDUCE-1] takes inputs of any length, and the outputs of a job", async () => {
    async function* slow() {
      for (const x of numbers(70)) {
        if (x % 30 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        yield x;
      }
    }
    expect(await hands.reduce((x: number) => x, slow(), { combine: sum })).toBe(2415);
    expect(await hands.reduce((x: number) => x, new Set(numbers(70)), { combine: sum, perTask: 1 })).toBe(
      2415,
    );
    const squares = hands.map((x: number) => x * x, numbers(30));
    expect(await hands.reduce((x: number) => x + 1, squares.outputs(), { combine: sum })).toBe(8585);
  });

  it("[REDUCE-1] combines with the function that the kernel module exports, or another one", async () => {
    const { count, mean, squares } = await hands.reduce(momentsModule, numbers(101));
    expect({ count, mean, variance: squares / count }).toEqual({
      count: 101,
      mean: 50,
      variance: expect.closeTo(850, 9) as number,
    });
    const largest = await hands.reduce(momentsModule, [3, 9, 4], {
      combine: (a, b) => (a.mean > b.mean ? a : b),
    });
    expect(largest.mean).toBe(9);
  });

  it("[REDUCE-1] [DATA-2] of outputs of megabytes, and data references in them", async () => {
    const histogram = await hands.reduce(
      (x: number) => ({ bins: new Float64Array(100_000).fill(x), first: x }),
      numbers(12),
      {
        combine: (a, b) => ({
          bins: a.bins.map((value, i) => value + b.bins[i]!),
          first: Math.min(a.first, b.first),
        }),
        perTask: 2,
        fanIn: 3,
      },
    );
    expect(histogram.bins).toHaveLength(100_000);
    expect(histogram.bins.every((value) => value === 66)).toBe(true);
    expect(histogram.first).toBe(0);
  });

  it("[REDUCE-1] of the outputs of a map, also of another program's job", async () => {
    const job = hands.map((x: number) => `${x}`, numbers(20));
    const [all, again] = [job.reduce(join), job.reduce(join, { fanIn: 2 })];
    expectTypeOf(all).toEqualTypeOf<Reduction<string>>();
    // @ts-expect-error -- the outputs are texts
    const wrong = () => job.reduce((a: number, b: number) => a + b);
    expect(wrong).toBeTypeOf("function");
    expect(await all).toBe(numbers(20).join(" "));
    expect(await again).toBe(await all);
    const other = await platform.connect();
    expect(await other.job<string>(await job.id).reduce(join)).toBe(await all);
    const fed = hands.map((x: string) => Number(x), job.outputs());
    expect(await fed.reduce(sum)).toBe(190);
  });

  it("[REDUCE-1] of a job that another program still gives inputs", async () => {
    const all = Promise.withResolvers<void>();
    async function* inputs() {
      yield 1;
      await all.promise;
      yield* [2, 3];
    }
    const job = hands.map((x: number) => `${x}`, inputs());
    const other = await platform.connect();
    const reduction = other.job<string>(await job.id).reduce(join, { fanIn: 2 });
    await expect.poll(async () => (await job.status()).counts.total).toBe(1);
    all.resolve();
    expect(await reduction).toBe("1 2 3");
  });

  it("[REDUCE-2] of outputs of which some failed gives no value before they are there", async () => {
    const source = hands.map(
      (x: number, ctx: KernelContext) => {
        // A second lease of the same task is another attempt.
        if (x === 7 && ctx.attempt <= 2) throw new Error("no particle");
        return x;
      },
      numbers(9),
      { maxAttempts: 1 },
    );
    const reduction = hands.reduce((x: number) => x, source.outputs(), { combine: sum, perTask: 2 });
    await expect(reduction).rejects.toMatchObject({ code: "JOB_BLOCKED" });
    while ((await source.settled()).some(({ status }) => status === "failed")) await source.requeueFailed();
    expect(await reduction).toBe(36);
  });

  it("[REDUCE-2] [CANCEL-1] cancelling does not wait for the outputs of another job", async () => {
    const source = hands.map(() => new Promise<number>(() => {}), [1]);
    const reduction = hands.reduce((x: number) => x, source.outputs(), { combine: sum });
    await reduction.cancel();
    await expect(reduction).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await source.cancel();
  });

  it("[REDUCE-2] the context of an input is its own", async () => {
    const told = await hands.reduce(
      (x: number, ctx: KernelContext) => {
        ctx.progress(0.5);
        return `${x}:${ctx.index}:${ctx.signal.aborted}:${ctx.resume === undefined}`;
      },
      [5, 6, 7, 8, 9],
      { combine: join, perTask: 2 },
    );
    expect(told).toBe("5:0:false:true 6:1:false:true 7:2:false:true 8:3:false:true 9:4:false:true");
  });

  it("[REDUCE-2] a failed input is named, and the rest is kept until it is requeued", async () => {
    const reduction = hands.reduce(
      (x: number, ctx: KernelContext) => {
        // Task 0 runs at once; others may be given back before they run, and are attempt 2 then.
        if (x === 1 && ctx.attempt === 1) throw new Error("no particle");
        return x;
      },
      numbers(20),
      { combine: sum, perTask: 5, maxAttempts: 1 },
    );
    await expect(reduction).rejects.toMatchObject({
      code: "TASK_FAILED",
      message: expect.stringMatching(/1 of 4 tasks failed[^]*Input 1: no particle/) as string,
    });
    expect(await reduction.requeueFailed()).toBe(1);
    expect(await reduction).toBe(190);
  });

  it("[KEY-2] an input that is no value rejects it, and leaves no job behind", async () => {
    const inputs = [1, 2, () => 3, 4, 5] as number[];
    const reduction = hands.reduce((x: number) => x, inputs, { combine: sum, perTask: 1, fanIn: 2 });
    await expect(reduction.submitted).rejects.toMatchObject({ code: "UNSERIALISABLE" });
    await expect(reduction).rejects.toMatchObject({ code: "UNSERIALISABLE" });
    const states = (await reduction.jobIds()).map(async (id) => (await hands.job(id).status()).state);
    for (const state of await Promise.all(states)) expect(["cancelled", "blocked"]).toContain(state);
  });

  it("[REDUCE-2] counts all failures", async () => {
    const fail = (): number => {
      throw new Error("no particle");
    };
    const options = { combine: sum, perTask: 1, maxAttempts: 1, failFast: false };
    await expect(hands.reduce(fail, numbers(30), options)).rejects.toThrow(
      /30 of 30 tasks failed[^]*and 27 more/,
    );
  });

  it("[REDUCE-2] a failing combine is told", async () => {
    const reduction = hands.reduce((x: number) => x, numbers(9), {
      combine: () => {
        throw new Error("apples and pears");
      },
      perTask: 1,
      maxAttempts: 1,
    });
    await expect(reduction).rejects.toThrow(/apples and pears/);
  });

  it("[REDUCE-2] [CANCEL-1] cancelling ends all of it", async () => {
    const reduction = hands.reduce(
      async (x: number, ctx: KernelContext) => {
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        return x;
      },
      numbers(9),
      { combine: sum },
    );
    await reduction.submitted;
    await reduction.cancel();
    await expect(reduction).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  });

  it("[REDUCE-2] resumes in the middle of a task", async () => {
    const value = await hands.reduce(
      (x: number, ctx: KernelContext) => {
        if (x === 2) {
          if (ctx.resume === undefined) {
            ctx.checkpoint("half");
            throw new Error("power cut");
          }
          return `${x}${ctx.resume as string}`;
        }
        return `${x}${ctx.attempt}`;
      },
      numbers(4),
      { combine: join, perTask: 4 },
    );
    // Inputs 0 and 1 are not computed again on the second attempt.
    expect(value).toBe("01 11 2half 32");
  });

  it("[REDUCE-2] a checkpoint fails a kernel only where it is too large by itself", async () => {
    const run = (elements: number) =>
      hands.reduce(
        (x: number, ctx: KernelContext) => {
          ctx.checkpoint(new Uint8Array((ctx.index + 1) * x));
          return new Float64Array(50_000).fill(x);
        },
        [elements, 1, 2],
        { combine: (a, b) => a.map((value, i) => value + b[i]!), perTask: 3, maxAttempts: 1 },
      );
    expect((await run(0))[49_999]).toBe(3);
    await expect(run(300_000)).rejects.toThrow(/Input 0: The checkpoint has 300\d\d\d bytes/);
  });

  it("[REDUCE-3] goes on under its key, and refuses another combination", async () => {
    const run = (perTask: number) =>
      hands.reduce((x: number) => x, numbers(40), { combine: sum, perTask, key: "night" });
    const first = run(4);
    expect(await first).toBe(780);
    const second = run(4);
    expect(await second).toBe(780);
    expect(await second.jobIds()).toEqual(await first.jobIds());
    const jobs = await Promise.all((await first.jobIds()).map((id) => hands.job(id).status()));
    expect(jobs.every(({ keepMs }) => keepMs === undefined)).toBe(true);
    await expect(run(5)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("[REDUCE-4] is in one language, and of one Python", () => {
    const add = (a: number, b: number): number => a + b;
    const inPython = python<number, number>("model.py:f");
    const mixed = /one is a function in Python and the other is none/;
    expect(() => hands.reduce(inPython, [1], { combine: add })).toThrow(mixed);
    expect(() => hands.reduce((x: number) => x, [1], { combine: inPython as never })).toThrow(mixed);
    const native = python<number, number>("model.py:g", { on: "python3" });
    expect(() => hands.reduce(inPython, [1], { combine: native })).toThrow(/by different Pythons/);
  });

  it("[REDUCE-3] needs an input, and something that combines", async () => {
    await expect(hands.reduce((x: number) => x, [], { combine: sum })).rejects.toThrow(/at least one input/);
    // @ts-expect-error -- a function alone
    await expect(hands.reduce((x: number) => x, [1])).rejects.toThrow(/expected \{ combine/);
    const square = new URL("./kernels/mean.ts", import.meta.url);
    await expect(hands.reduce(square, [1])).rejects.toThrow(/exports no `combine`/);
    await expect(hands.reduce((x: number) => x, [1, 2], { combine: sum, compare: "kernel" })).rejects.toThrow(
      /none of its kernel modules exports such a function/,
    );
    expect(() => hands.reduce((x: number) => x, [1], { combine: sum, perTask: 0 })).toThrow(/perTask is 0/);
    const job = hands.map((x: number) => x, [1, 2]);
    const pairs = job.outputs({ perTask: 2 });
    expect(() => hands.reduce((pair: number[]) => pair.length, pairs, { combine: sum })).toThrow(
      /in groups of 2 already/,
    );
    await job;
    expect(() => hands.reduce((x: number) => x, [1], { combine: sum, fanIn: 1 })).toThrow(/fanIn is 1/);
  });
});
