import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { kernelModule, type Hands, type Job, type Value } from "../../customer/index.ts";
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

describe("awaiting a job", () => {
  it("gives every output in the order of the inputs", async () => {
    const inputs = Array.from({ length: 500 }, (_, index) => index);
    expect(await hands.map((x) => x * x, inputs)).toEqual(inputs.map((x) => x * x));
  });

  it("gives nothing for no inputs", async () => {
    expect(await hands.map((x: number) => x, [])).toEqual([]);
  });

  it("twice reads the results once", async () => {
    const job = hands.map((x) => x + 1, [1]);
    expect(await job).toBe(await job);
  });

  it("carries every kind of value both ways, large ones too", async () => {
    const values: Value[] = [
      null,
      true,
      "text ✓",
      -1.5,
      [1, [2, { three: 3 }]],
      new Uint8Array([1, 2, 3]),
      new Float32Array([0.5, -2]),
      new BigInt64Array([2n ** 60n]),
      new Uint8Array(700_000).fill(9),
      new Float64Array(100_000).fill(Math.PI),
    ];
    const outputs = await hands.map((value: Value) => value, values);
    expect(outputs).toHaveLength(values.length);
    for (const [index, output] of outputs.entries()) expect(output).toEqual(values[index]);
  });

  it("runs a module with its imports and types", async () => {
    const job = hands.map(meanModule, [{ values: Float64Array.of(1, 2, 6), label: "a" }]);
    expect(await job).toEqual([{ label: "a", mean: 3, index: 0 }]);
    expect((await job.logs()).map(({ line }) => line)).toContain("mean of 3");
    expect((await job.status()).name).toBe("mean");
  });

  it("is refused before anything is sent when an input is no value", async () => {
    const job = hands.map((x: unknown) => String(x), [1, new Map()]);
    await expect(job).rejects.toMatchObject({
      code: "UNSERIALISABLE",
      message: expect.stringContaining("Input 1") as string,
    });
    await expect.poll(async () => (await job.status()).state).toBe("cancelled");
  });
});

describe("iterating a job", () => {
  it("keeps the order where some outputs are blobs, and can be left among them", async () => {
    const job = hands.map(
      (size: number) => new Uint8Array(size).fill(size % 251),
      Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 300_000 + i : i)),
    );
    const outputs = await job;
    let seq = 0;
    for await (const outcome of job) {
      expect(outcome.seq).toBe(++seq);
      expect(outcome.output).toEqual(outputs[outcome.index]);
      expect(outcome.output?.length).toBe(outcome.index % 3 === 0 ? 300_000 + outcome.index : outcome.index);
    }
    expect(seq).toBe(60);
    for await (const outcome of job.outcomes({ after: 7 })) {
      expect(outcome.seq).toBe(8);
      break;
    }
  });

  it("gives each outcome once, numbered in the order of completion", async () => {
    const seen = new Map<number, number>();
    const seqs: number[] = [];
    for await (const outcome of hands.map((x) => x * 2, [10, 20, 30])) {
      if (outcome.error) throw outcome.error;
      seen.set(outcome.index, outcome.output);
      seqs.push(outcome.seq);
    }
    expect([...seen].sort(([a], [b]) => a - b)).toEqual([
      [0, 20],
      [1, 40],
      [2, 60],
    ]);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  });

  it("left early, leaves the job alone; another process reads it from the first result", async () => {
    const job = hands.map((x) => -x, [1, 2, 3, 4]);
    for await (const outcome of job) {
      expect(outcome.error).toBeUndefined();
      break;
    }
    const other = await platform.connect();
    expect(await other.job<number>(await job.id)).toEqual([-1, -2, -3, -4]);
  });

  it("starts behind any outcome, and without following ends with the present outcomes", async () => {
    const job = hands.map((x) => x, ["a", "b", "c"]);
    await job;
    const later: string[] = [];
    for await (const { output } of job.outcomes({ after: 2, follow: false })) later.push(output ?? "");
    expect(later).toHaveLength(1);
  });
});

describe("inputs", () => {
  it("are enumerated as the server takes them, not all at once", async () => {
    let enumerated = 0;
    const job = hands.map(
      (bytes: Uint8Array) => bytes.length,
      (function* () {
        for (; enumerated < 200; enumerated++) yield new Uint8Array(100_000);
      })(),
    );
    await job.id;
    // The filling request and the request under way hold about 1 MiB each.
    expect(enumerated).toBeLessThan(30);
    expect(await job).toHaveLength(200);
  });

  it("that come slowly are computed as they come", async () => {
    const next = Promise.withResolvers<void>();
    const job = hands.map(
      (x: number) => x * 10,
      (async function* () {
        yield 1;
        await next.promise;
        yield 2;
      })(),
    );
    const seen: number[] = [];
    for await (const { output } of job) {
      seen.push(output ?? -1);
      next.resolve();
    }
    expect(seen).toEqual([10, 20]);
  });

  it("without an end stay within the window", async () => {
    let enumerated = 0;
    const job = hands.map(
      (x: number) => x,
      (function* () {
        for (;;) yield enumerated++;
      })(),
      { window: 50 },
    );
    let done = 0;
    for await (const _ of job) {
      expect(enumerated).toBeLessThanOrEqual(done + 50 + 50);
      if (++done === 200) break;
    }
    await job.cancel();
    await expect(job.submitted).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  });

  it("are never more than the window while nothing is computed", async () => {
    let enumerated = 0;
    const endless = (function* () {
      for (;;) yield enumerated++;
    })();
    const job = hands.map((x: number) => x, endless, { window: 3, requires: { webgpu: true } });
    await expect.poll(async () => (await job.status()).counts.total).toBe(3);
    expect(enumerated).toBe(3);
    await job.cancel();
    await expect(job.submitted).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  });

  it("that fail end the job and its waiters with their error", async () => {
    const broken = new Error("the detector is off");
    const job = hands.map(
      (x: number) => x,
      (async function* () {
        yield 1;
        throw broken;
      })(),
    );
    await expect(job).rejects.toBe(broken);
    await expect.poll(async () => (await job.status()).state).toBe("cancelled");
  });
});

describe("types", () => {
  it("flow from kernel and inputs to outputs", () => {
    // The function is never called: the compiler checks its types.
    const compiled = (): void => {
      expectTypeOf(hands.map((x) => `${x}`, [1, 2])).toEqualTypeOf<Job<string>>();
      expectTypeOf(hands.map(async (x) => [x], new Set([true]))).toEqualTypeOf<Job<boolean[]>>();
      const module = hands.map(meanModule, [{ values: new Float64Array(1), label: "" }]);
      expectTypeOf(module).toEqualTypeOf<Job<{ label: string; mean: number; index: number }>>();
      expectTypeOf(hands.map("./kernel.ts", [1])).toEqualTypeOf<Job<Value>>();
      // @ts-expect-error -- the module takes objects, not numbers
      hands.map(meanModule, [1]);
      // @ts-expect-error -- the inputs are strings
      hands.map((x: number) => x, ["a"]);
    };
    expect(compiled).toBeTypeOf("function");
  });
});
