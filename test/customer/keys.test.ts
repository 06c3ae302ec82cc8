import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hands, Job } from "../../customer/index.ts";
import { eventually } from "../support/eventually.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

describe("a key", () => {
  it("finds the job again with all its results", async () => {
    const key = "again";
    const first = hands.map((x) => x + 1, [1, 2, 3], { key });
    expect(await first).toEqual([2, 3, 4]);
    const other = await platform.connect();
    const second = other.map((x) => x + 1, new Set([1, 2, 3]), { key, name: "other", priority: 3 });
    expect(await second).toEqual([2, 3, 4]);
    expect(await second.id).toBe(await first.id);
    expect((await second.status()).lastSeq).toBe(3);
  });

  const kernel = (x: number): number => x;
  const states: [string, string, (job: Job<number>) => Promise<unknown>][] = [
    ["finished", "finished", (job) => Promise.resolve(job)],
    ["waiting for a client", "closed", (job) => job.submitted],
    ["cancelled", "cancelled", (job) => job.cancel()],
  ];
  it.each(states)(
    "[KEY-1] of a job that is %s: other inputs and options are refused",
    async (_, state, act) => {
      const key = `taken ${state}`;
      const requires = state === "finished" ? {} : { webgpu: true };
      const job = hands.map(kernel, [1, 2, 3], { key, priority: -1, requires });
      await job.submitted;
      await act(job);
      // Inputs are given as a list, whose length is known, and as iterables.
      for (const inputs of [[1, 9, 3], [1, 2], ...(state === "cancelled" ? [] : [[1, 2, 3, 4]])])
        for (const given of [inputs, new Set(inputs), laterOf(inputs)]) {
          const again = hands.map(kernel, given, { key, requires });
          await expect(again.submitted).rejects.toMatchObject({ code: "CONFLICT" });
          await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
        }
      for (const changed of [
        { seed: "1" },
        { timeoutMs: 7000 },
        { failFast: false },
        { requires: { trusted: true } },
      ])
        await expect(hands.map(kernel, [1, 2, 3], { key, requires, ...changed })).rejects.toMatchObject({
          code: "CONFLICT",
          message: expect.stringContaining(Object.keys(changed)[0]!) as string,
        });
      await expect(hands.map((x: number) => x + 0, [1, 2, 3], { key, requires })).rejects.toMatchObject({
        code: "CONFLICT",
      });
      // The refusals did not harm the job.
      expect((await job.status()).state).toBe(state);
      await hands.map(kernel, [1, 2, 3], { key, requires }).submitted;
    },
  );

  it("[KEY-1] of a quarantined job: other inputs are refused, and are not told of its failures", async () => {
    const failing = (): never => {
      throw new Error("no such detector");
    };
    const inputs = Array.from({ length: 20 }, (_, i) => i);
    const options = { key: "quarantined", maxAttempts: 1 };
    await expect(hands.map(failing, inputs, options)).rejects.toMatchObject({ code: "JOB_QUARANTINED" });
    await expect(hands.map(failing, [7, ...inputs.slice(1)], options)).rejects.toMatchObject({
      code: "CONFLICT",
    });
    await expect(hands.map(failing, inputs, options)).rejects.toMatchObject({ code: "JOB_QUARANTINED" });
  });

  it("[KEY-1] a result is handed out only once its input was found the same", async () => {
    const key = "one by one";
    await hands.map(kernel, [1, 2, 3], { key });
    for (const given of [[7, 2, 3], new Set([7, 2, 3]), laterOf([7, 2, 3])]) {
      const seen: unknown[] = [];
      const reading = (async () => {
        for await (const { output } of hands.map(kernel, given, { key })) seen.push(output);
      })();
      await expect(reading).rejects.toMatchObject({ code: "CONFLICT" });
      expect(seen).toEqual([]);
    }
  });

  it("[KEY-1] a program that makes inputs of results goes on with its job as far as they are the same", async () => {
    const search = async (results: number[], change: (x: number) => number = (x) => x): Promise<number[]> => {
      let tell = Promise.withResolvers<void>();
      const inputs = (async function* () {
        for (let x = 1; results.length < 5; x = results.at(-1)!) {
          const told = tell.promise;
          yield change(x);
          await told;
        }
      })();
      for await (const { output } of hands.map((x: number) => 2 * x, inputs, { key: "search" })) {
        results.push(output!);
        tell.resolve();
        tell = Promise.withResolvers();
      }
      return results;
    };
    expect(await search([])).toEqual([2, 4, 8, 16, 32]);
    expect(await search([])).toEqual([2, 4, 8, 16, 32]);
    const seen: number[] = [];
    await expect(search(seen, (x) => (x === 8 ? 9 : x))).rejects.toMatchObject({ code: "CONFLICT" });
    expect(seen).toEqual([2, 4, 8]);
  });

  it("[KEY-1] of an open job: fewer inputs than it has are refused, and it can still be gone on with", async () => {
    const key = "half-way";
    const off = new Error("off");
    const twoAreThere = eventually(async () => expect((await job.status()).counts.total).toBe(2));
    const failing = (async function* () {
      yield 1;
      yield 2;
      await twoAreThere;
      throw off;
    })();
    const job: Job<number> = hands.map(kernel, failing, { key });
    await expect(job).rejects.toBe(off);
    for (const given of [[1], new Set([1]), [1, 7, 3]])
      await expect(hands.map(kernel, given, { key })).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await job.status()).state).toBe("open");
    expect(await hands.map(kernel, [1, 2, 3], { key })).toEqual([1, 2, 3]);
  });
});

async function* laterOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
