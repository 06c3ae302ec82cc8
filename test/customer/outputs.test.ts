import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import {
  kernelModule,
  type Hands,
  type Job,
  type KernelContext,
  type Outputs,
} from "../../customer/index.ts";
import { connect } from "../../parallel/connect.ts";
import type mean from "./kernels/mean.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

const meanModule = kernelModule<typeof mean>(new URL("./kernels/mean.ts", import.meta.url));

describe("outputs of one job as inputs of the next", () => {
  it("[FEED-1] flow through three stages in the order of the inputs, with their types", async () => {
    const first = hands.map((x: number) => ({ values: Float64Array.of(x, x + 2), label: `${x}` }), [1, 2, 3]);
    const second = hands.map(meanModule, first.outputs());
    expectTypeOf(first.outputs()).toEqualTypeOf<
      Outputs<{ values: Float64Array<ArrayBuffer>; label: string }>
    >();
    const third = hands.map((x: { mean: number }) => x.mean * 10, second.outputs());
    expectTypeOf(third).toEqualTypeOf<Job<number>>();
    // @ts-expect-error -- the outputs are numbers
    const wrong = () => hands.map((text: string) => text, third.outputs());
    expect(wrong).toBeTypeOf("function");
    expect(await third).toEqual([20, 30, 40]);
    expect(await third.status()).toMatchObject({ state: "finished", inputsFrom: await second.id });
  });

  it("[FEED-1] [SDK-2] are the arguments of a kernel of several, and of several jobs, also of one that has finished", async () => {
    const first = hands.map((x: number): [number, number] => [x, 3], [2, 5]);
    expect(await first).toHaveLength(2);
    const again = hands.job<[number, number]>(await first.id);
    const [powers, sums] = [
      hands.starmap((base: number, power: number) => base ** power, again.outputs()),
      hands.starmap((a: number, b: number) => a + b, first.outputs()),
    ];
    expect(await Promise.all([powers, sums])).toEqual([
      [8, 125],
      [5, 8],
    ]);
  });

  it("[FEED-1] [DATA-2] of any size, and data references in them", async () => {
    const first = hands.map(
      async (x: number, ctx: KernelContext) => ({
        large: new Uint8Array(400_000).fill(x),
        ref: await ctx.put(Uint8Array.of(x)),
      }),
      [1, 2],
    );
    const second = hands.map(
      async ({ large, ref }, ctx) => large.reduce((a, b) => a + b) + (await ctx.data(ref))[0]!,
      first.outputs(),
    );
    expect(await second).toEqual([400_001, 800_002]);
  });

  it("[FEED-1] start while their job still takes inputs", async () => {
    const gate = Promise.withResolvers<void>();
    async function* inputs() {
      yield 1;
      await gate.promise;
      yield 2;
    }
    const first = hands.map((x: number) => x + 1, inputs());
    const second = hands.map((x: number) => x * 2, first.outputs());
    for await (const { output } of second) {
      expect(output).toBe(4);
      break;
    }
    expect(await first.status()).toMatchObject({ state: "open" });
    gate.resolve();
    expect(await second).toEqual([4, 6]);
  });

  it("[FEED-3] a failed task fails the task behind it, until it is requeued", async () => {
    const first = hands.map(
      (x: number, ctx: KernelContext) => {
        if (x === 2 && ctx.attempt === 1) throw new Error("no particle");
        return x;
      },
      [1, 2],
      { maxAttempts: 1, name: "picking" },
    );
    const second = hands.map((x: number) => x * 2, first.outputs());
    const third = hands.map((x: number) => x * 3, second.outputs());
    const settled = await third.settled();
    expect(settled[0]).toEqual({ index: 0, status: "done", output: 6 });
    const reason = /Task 1 of job .* \("picking"\).*no particle/;
    expect(settled[1]).toMatchObject({
      status: "failed",
      error: { kind: "blocked", message: expect.stringMatching(reason) as string },
    });
    await expect(second).rejects.toMatchObject({ code: "TASK_FAILED" });
    await expect(third.requeueFailed()).rejects.toMatchObject({ code: "WRONG_STATE" });
    await first.requeueFailed();
    expect(await first).toEqual([1, 2]);
    await expect.poll(async () => (await third.status()).counts.done).toBe(2);
    expect(await Promise.all([second, third])).toEqual([
      [2, 4],
      [6, 12],
    ]);
  });

  it("[FEED-4] [CANCEL-1] a cancelled source blocks what it feeds, and clients compute something else", async () => {
    async function* inputs() {
      yield* [1, 2, 3, 4];
      await new Promise(() => undefined);
    }
    const first = hands.map((x: number) => x, inputs());
    const second = hands.map(() => new Promise<number>(() => undefined), first.outputs());
    await expect.poll(async () => (await second.status()).counts.running).toBeGreaterThan(1);
    await first.cancel();
    await expect(second).rejects.toMatchObject({
      code: "JOB_BLOCKED",
      message: expect.stringMatching(/whose outputs it takes, was cancelled/) as string,
    });
    await expect(first).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(await hands.map((x: number) => x, [7])).toEqual([7]);
  });

  it("[KEY-2] inputs that throw end the whole line with what was thrown", async () => {
    function* inputs() {
      yield 1;
      throw new Error("no more disk");
    }
    const first = hands.map((x: number) => x, inputs());
    const second = hands.map((x: number) => x, first.outputs());
    await expect(first).rejects.toThrow("no more disk");
    await expect(second).rejects.toThrow("no more disk");
    expect(await second.status()).toMatchObject({
      state: expect.stringMatching(/cancelled|blocked/) as string,
    });
  });

  it("[KEY-1] a program that is run again goes on with all of its stages, and other inputs give no results", async () => {
    const run = (x: number) => {
      const first = hands.map((n: number) => n + 1, [x, 2], { key: "line: first" });
      return hands.map((n: number) => n * 2, first.outputs(), { key: "line: second" });
    };
    const before = run(1);
    expect(await before).toEqual([4, 6]);
    const again = run(1);
    expect(await again).toEqual([4, 6]);
    expect(await again.id).toBe(await before.id);
    await expect(run(5)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(run(7).outcomes().next()).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("[KEY-1] [FEED-6] a result of a group waits until all inputs of the group are known to be the same", async () => {
    const run = (inputs: Iterable<number> | AsyncIterable<number>) => {
      const first = hands.map((n: number) => n + 1, inputs, { key: "groups: first" });
      const triples = first.outputs({ perTask: 3 });
      expectTypeOf(triples).toEqualTypeOf<Outputs<number[]>>();
      return { first, second: hands.map((t: number[]) => t.length, triples, { key: "groups: second" }) };
    };
    expect(await run([1, 2, 3, 4]).second).toEqual([3, 1]);
    const compared = Promise.withResolvers<void>();
    async function* other() {
      yield 1;
      yield 2;
      await compared.promise;
      yield 7;
    }
    const { first, second } = run(other());
    const group = second.outcomes().next();
    group.catch(() => undefined);
    expect((await first.outcomes().next()).done).toBe(false);
    compared.resolve();
    await expect(group).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("refuses a window, and a source that is not there", async () => {
    const job = hands.map((x: number) => x, [1]);
    const outputs = job.outputs();
    expect(() => hands.map((x: number) => x, outputs, { window: 5 })).toThrow(/window/);
    await job;
    const unknown = hands.job<number>("j_aaaaaaaaaaaaaaaa").outputs();
    await expect(hands.map((x: number) => x, unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("[FEED-1] [PAR-3] the same under thread", async () => {
    await using local = await connect("thread:2");
    const first = local.map((x: number) => x + 1, [1, 2, 3]);
    expect(await local.map((x: number) => x * x, first.outputs())).toEqual([4, 9, 16]);
  });
});
