import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from "vitest";
import {
  kernelModule,
  TaskFailedError,
  type Hands,
  type Job,
  type Progress,
  type Value,
} from "../../customer/index.ts";
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

describe("failed tasks", () => {
  const fussy = (x: number): number => {
    if (x % 2 === 0) throw new RangeError(`no even numbers: ${x}`);
    return x;
  };

  it("reject the awaited job with the kernel's message and stack, after the others were computed", async () => {
    const job = hands.map(fussy, [1, 2, 3, 4], { maxAttempts: 2 });
    const error: unknown = await job.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof TaskFailedError))
      throw new Error(`expected a TaskFailedError, not ${String(error)}`);
    expect(error.code).toBe("TASK_FAILED");
    expect(error.failures.map(({ index, attempts, kind }) => ({ index, attempts, kind }))).toEqual([
      { index: 1, attempts: 2, kind: "error" },
      { index: 3, attempts: 2, kind: "error" },
    ]);
    expect(error.message).toContain("2 of 4 tasks failed");
    expect(error.failures[0]?.stack).toMatch(/no even numbers: 2[\s\S]*at /);
    expect(error.failures[0]?.client).toMatch(/^c_/);
    expect((await job.status()).counts).toMatchObject({ done: 2, failed: 2 });
    expect(await job.settled()).toMatchObject([
      { index: 0, status: "done", output: 1 },
      { index: 1, status: "failed" },
      { index: 2, status: "done", output: 3 },
      { index: 3, status: "failed" },
    ]);
  });

  it("come as outcomes with an error when the job is iterated", async () => {
    const failed: number[] = [];
    for await (const { index, error } of hands.map(fussy, [1, 2], { maxAttempts: 1 }))
      if (error) failed.push(index);
    expect(failed).toEqual([1]);
  });

  it("explain what a function kernel cannot see", async () => {
    const outside = 3;
    const job = hands.map((x: number) => x + outside, [1], { maxAttempts: 1 });
    await expect(job).rejects.toThrow(/is not defined[\s\S]*sees only its input and ctx/);
  });

  it("are tried again when they are requeued, and the same job then succeeds or not", async () => {
    const job = hands.map(fussy, [1, 2], { maxAttempts: 1 });
    await expect(job).rejects.toThrow("1 of 2 tasks failed");
    expect(await job.requeueFailed()).toBe(1);
    await expect(job).rejects.toThrow("1 of 2 tasks failed");
    expect((await job.status()).lastSeq).toBeGreaterThan(2);
  });

  it("[FAIL-7] of an output that is no value are not tried again, and say so", async () => {
    const job = hands.map((x: number) => (): number => x, [1]);
    const [task] = await job.settled();
    expect(task).toMatchObject({
      status: "failed",
      error: {
        kind: "unserialisable",
        attempts: 1,
        message: expect.stringContaining("Not tried again") as string,
      },
    });
  });

  const hopeless = (x: number): number => {
    throw new TypeError(`cannot use ${x}`);
  };

  it("[FAIL-8] that are all alike stop the job early, and it says so; requeueing it works, and stops again", async () => {
    const job = hands.map(
      hopeless,
      Array.from({ length: 20_000 }, (_, i) => i),
    );
    const stopped = {
      code: "JOB_QUARANTINED",
      message: expect.stringMatching(
        /Stopped early: \d+ tasks failed alike .*TypeError: cannot use \d+/,
      ) as string,
    };
    await expect(job).rejects.toMatchObject(stopped);
    await job.submitted.catch(() => undefined);
    const { state, lastSeq, failures } = await job.status();
    expect(state).toBe("quarantined");
    expect(failures.at(-1)?.stack).toMatch(/TypeError: cannot use/);
    expect(await job.requeueFailed()).toBeGreaterThan(0);
    await expect(job).rejects.toMatchObject(stopped);
    // Hardly any task was tried to its end.
    expect((await job.status()).lastSeq).toBeLessThan(lastSeq + 2000);
  });

  it("[FAIL-8] that are all alike are all there without failFast", async () => {
    const job = hands.map(
      hopeless,
      Array.from({ length: 100 }, (_, i) => i),
      { failFast: false, maxAttempts: 2 },
    );
    await expect(job).rejects.toMatchObject({
      code: "TASK_FAILED",
      message: expect.stringContaining("100 of 100") as string,
    });
  });

  it("count no more when they were requeued and succeeded while the job was still awaited", async () => {
    const last = Promise.withResolvers<void>();
    const inputs = (async function* () {
      yield 1;
      await last.promise;
    })();
    const once = (x: number, ctx: { attempt: number }): number => {
      if (ctx.attempt === 1) throw new Error("not yet");
      return x;
    };
    const job = hands.map(once, inputs, { maxAttempts: 1 });
    let failures = 0;
    const outputs = job.then((all) => all);
    for await (const { error } of job) {
      if (!error) break;
      failures++;
      await job.requeueFailed();
    }
    last.resolve();
    expect(failures).toBe(1);
    expect(await outputs).toEqual([1]);
  });

  it("end the job at the first when it is to fail fast", async () => {
    const endless = (async function* () {
      yield 2;
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        yield 1;
      }
    })();
    const job = hands.map(fussy, endless, { maxAttempts: 1, failFast: true });
    await expect(job).rejects.toBeInstanceOf(TaskFailedError);
    expect((await job.status()).state).toBe("cancelled");
  });
});

describe("steering a job", () => {
  it("cancelled, it rejects and says how far it was", async () => {
    const job = hands.map(async (x: number) => x, [1, 2], { requires: { webgpu: true } });
    await job.submitted;
    await job.cancel();
    await expect(job).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(await job.settled()).toEqual([
      { index: 0, status: "cancelled" },
      { index: 1, status: "cancelled" },
    ]);
  });

  it("paused, it waits, and takes another priority", async () => {
    const job = hands.map((x) => x, [1], { requires: { webgpu: true } });
    expect((await job.pause()).paused).toBe(true);
    expect((await job.setPriority(7)).priority).toBe(7);
    expect((await job.resume()).paused).toBe(false);
    await job.cancel();
  });

  it("given up through its signal, it rejects with the reason and is cancelled", async () => {
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const job = hands.map(
      (x) => x,
      (async function* () {
        yield 1;
        controller.abort(reason);
        await new Promise(() => undefined);
      })(),
      { signal: controller.signal, requires: { webgpu: true } },
    );
    await expect(job).rejects.toBe(reason);
    await expect.poll(async () => (await hands.job(await job.id).status()).state).toBe("cancelled");
  });

  it("given up when all its inputs are there, it is cancelled too", async () => {
    const controller = new AbortController();
    const options = { signal: controller.signal, requires: { webgpu: true } };
    const job = hands.map((x) => x, [1], options);
    await job.submitted;
    controller.abort();
    await expect(job).rejects.toMatchObject({ name: "AbortError" });
    await expect.poll(async () => (await job.status()).state).toBe("cancelled");
  });

  it("deleted, it is gone", async () => {
    const job = hands.map((x) => x, [1]);
    await job;
    await job.delete();
    await expect(job.status()).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("tells its progress, and the end once", async () => {
    const seen: Progress[] = [];
    await hands.map((x) => x, [1, 2, 3], { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ state: "finished", total: 3, done: 3, fraction: 1, offlineMs: 0 });
    expect(seen.filter(({ state }) => state === "finished")).toHaveLength(1);
  });

  it("tells its end once, also when that is pushed before the results are read", async () => {
    const ends: Progress[] = [];
    const onProgress = (progress: Progress): void => {
      if (progress.state === "finished") ends.push(progress);
    };
    const job = hands.map((x) => x, [1, 2, 3], { onProgress });
    await expect.poll(() => ends.length).toBe(1);
    expect(await job).toEqual([1, 2, 3]);
    expect(ends).toHaveLength(1);
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
    const twoAreThere = vi.waitFor(async () => expect((await job.status()).counts.total).toBe(2));
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
