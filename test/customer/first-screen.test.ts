import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import {
  kernelModule,
  TaskError,
  type Hands,
  type Job,
  type KernelContext,
  type TaskOutcome,
} from "../../customer/index.ts";
import type mean from "./kernels/mean.ts";
import type weighted from "./kernels/weighted.ts";
import { connect } from "../../parallel/connect.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

const weightedModule = kernelModule<typeof weighted>(new URL("./kernels/weighted.ts", import.meta.url));
const meanModule = kernelModule<typeof mean>(new URL("./kernels/mean.ts", import.meta.url));

describe("[SDK-1] a single task", () => {
  it("is a promise of its output, with the kernel's type", async () => {
    const output = hands.submit((x: number) => `${x * x}`, 7);
    expectTypeOf(output).toEqualTypeOf<Promise<string>>();
    expect(await output).toBe("49");
    expect(await hands.submit(meanModule, { values: Float64Array.of(1, 3), label: "b" })).toMatchObject({
      mean: 2,
    });
  });

  it("shares a job with the tasks of its kernel, which is closed when none comes", async () => {
    const executor = hands.executor({ name: "shared" });
    const kernel = (x: number): number => x + 1;
    const outputs = Array.from({ length: 50 }, (_, x) => executor.submit(kernel, x));
    expect(await Promise.all(outputs)).toEqual(Array.from({ length: 50 }, (_, x) => x + 1));
    const jobs = await hands.jobs({ search: "shared" });
    expect(jobs.map(({ counts }) => counts.done)).toEqual([50]);
    await expect.poll(async () => (await hands.job(jobs[0]!.id).status()).state).toBe("finished");
    expect(await executor.submit(kernel, 1)).toBe(2);
    expect(await hands.jobs({ search: "shared" })).toHaveLength(2);
    await executor.close();
    const states = (await hands.jobs({ search: "shared" })).map(({ state }) => state);
    expect(states).toEqual(["finished", "finished"]);
    await expect(executor.submit(kernel, 1)).rejects.toMatchObject({ code: "WRONG_STATE" });
  });

  it("fails alone", async () => {
    await using executor = hands.executor({ maxAttempts: 1 });
    const kernel = (x: number): number => {
      if (x < 0) throw new Error("negative");
      return x;
    };
    const bad = Array.from({ length: 20 }, (_, at) => executor.submit(kernel, -1 - at));
    const settled = Promise.allSettled(bad);
    const good = executor.submit(kernel, 5);
    const refused = executor.submit(kernel as (x: unknown) => unknown, new Map());
    await expect(refused).rejects.toMatchObject({ code: "UNSERIALISABLE" });
    for (const { status, reason } of (await settled) as PromiseRejectedResult[]) {
      expect(status).toBe("rejected");
      expect(reason).toBeInstanceOf(TaskError);
    }
    expect(await good).toBe(5);
  });

  it("is refused with its kernel", async () => {
    await expect(hands.submit(5 as unknown as string, 1)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(hands.submit("absent-kernel.ts", 1)).rejects.toMatchObject({ code: "FILE_FAILED" });
  });

  it("leaves a closed job behind when the connection is closed", async () => {
    const own = await platform.connect({ name: "left behind" });
    expect(await own.submit((x: number) => x, 3)).toBe(3);
    own.close();
    const states = async (): Promise<string[]> =>
      (await hands.jobs({ search: "left" })).map(({ state }) => state);
    await expect.poll(states).toEqual(["finished"]);
  });
});

it("[SDK-1] [SDK-2] [SDK-3] is the same on threads", async () => {
  await using own = await connect("thread:2");
  const told: number[] = [];
  const sums = own.starmap((a: number, b: number) => a + b, [[1, 2]], {
    onResult: ({ index }) => void told.push(index),
  });
  expect([await sums, told, await own.submit((x: number) => x * x, 5)]).toEqual([[3], [0], 25]);
});

it("[SDK-1] leaves no open job in SCRATCH", async () => {
  const spec = `thread:1:${platform.directory}/scratch`;
  const first = await connect(spec);
  expect(await first.submit((x: number) => x, 1)).toBe(1);
  await first[Symbol.asyncDispose]();
  await using second = await connect(spec);
  const states = async (): Promise<string[]> => (await second.jobs()).map(({ state }) => state);
  await expect.poll(states).toEqual(["finished"]);
});

describe("[SDK-2] several arguments", () => {
  it("come in order, and ctx behind them", async () => {
    const job = hands.starmap(
      (base: number, power: number, ctx: KernelContext) => [base ** power, ctx.index],
      [
        [2, 3],
        [3, 2],
      ],
    );
    expectTypeOf(job).toEqualTypeOf<Job<number[]>>();
    expect(await job).toEqual([
      [8, 0],
      [9, 1],
    ]);
    expect(await hands.submit((a: string, b: number) => a.repeat(b), "ab", 2)).toBe("abab");
    expect(await hands.submit((ctx: KernelContext) => ctx.attempt)).toBe(1);
  });

  it("go to modules too, with their types", async () => {
    const job = hands.starmap(weightedModule, new Set([[1, 2] as [number, number]]));
    expectTypeOf(job).toEqualTypeOf<Job<{ product: number; index: number }>>();
    expect(await job).toEqual([{ product: 2, index: 0 }]);
    expect(await hands.submit(weightedModule, 3, 4)).toEqual({ product: 12, index: 0 });
  });

  it("go to every form of kernel, whatever its text says", async () => {
    const kernel = (a: number, b: number): string => `${a - b} as default, export default a`;
    expect(await hands.submit(kernel, 5, 3)).toBe("2 as default, export default a");
    const directory = await temporaryDirectory();
    const forms = {
      "named.js": "const f = (a, b) => a - b;\nexport { f as default, f };",
      "common.cjs": "module.exports = (a, b) => (' as default' ? a - b : 0);",
      "quoted.js":
        "const text = `\nexport { text as default };\n`;\nexport default (a, b) => text && a - b;\nexport const c = 1;",
      "power.js": "export default function minus(a, b) { return a ** 1 - b; }",
    };
    for (const [name, text] of Object.entries(forms)) {
      await writeFile(join(directory, name), text);
      expect(await hands.starmap(join(directory, name), [[5, 3]]), name).toEqual([2]);
    }
  });

  it("are refused when they are no list", async () => {
    const kernel = (a: number, b: number): number => a + b;
    expect(() => hands.starmap(kernel, [[1, 2], 3 as unknown as [number, number]])).toThrow(
      /Input 1 is a number; starmap expects an array/,
    );
    const later = async function* (): AsyncGenerator<[number, number]> {
      yield [1, 2];
      yield 3 as unknown as [number, number];
    };
    await expect(hands.starmap(kernel, later())).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });
});

describe("[SDK-3] onResult", () => {
  it("gets each outcome once, in completion order, before the outputs are there", async () => {
    const told: TaskOutcome<number>[] = [];
    const job = hands.map(
      (x: number) => -x,
      Array.from({ length: 300 }, (_, x) => x),
      {
        onResult: async (outcome) => {
          await Promise.resolve();
          told.push(outcome);
        },
      },
    );
    const outputs = await job;
    await job;
    expect(told.map(({ seq }) => seq)).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
    for (const { index, output } of told) expect(output).toBe(outputs[index]);
  });

  it("gets failed tasks, and each anew after they were requeued", async () => {
    const told: (string | undefined)[] = [];
    const job = hands.map(
      (x: number) => {
        if (x === 1) throw new Error("one");
        return x;
      },
      [0, 1],
      { maxAttempts: 1, onResult: ({ error }) => void told.push(error?.message) },
    );
    await expect(job).rejects.toMatchObject({ code: "TASK_FAILED" });
    expect(told).toHaveLength(2);
    expect(await job.requeueFailed()).toBe(1);
    await expect(job).rejects.toMatchObject({ code: "TASK_FAILED" });
    expect(told).toHaveLength(3);
  });

  it("rejects and cancels the job when it throws", async () => {
    const endless = async function* (): AsyncGenerator<number> {
      for (let x = 0; ; x++) {
        yield x;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const job = hands.map((x: number) => x, endless(), {
      window: 10,
      onResult: () => {
        throw new Error("the disk is full");
      },
    });
    await expect(job).rejects.toThrow("the disk is full");
    await expect(job.submitted).rejects.toThrow("the disk is full");
    expect((await job.status()).state).toBe("cancelled");
  });
});

describe("[SDK-4] leaving a loop", () => {
  const slow = (x: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(x), x));

  it("leaves the job unless told otherwise", async () => {
    const job = hands.map(
      (x: number) => x,
      Array.from({ length: 200 }, (_, x) => x),
    );
    for await (const _ of job) break;
    expect(await job).toHaveLength(200);
  });

  it('cancels the job with onBreak: "cancel"', async () => {
    const inputs = [1, ...Array.from({ length: 50 }, () => 60_000)];
    const job = hands.map(slow, inputs, { onBreak: "cancel" });
    for await (const _ of job) break;
    expect((await job.status()).state).toBe("cancelled");
    await expect(job).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  });

  it("cancels nothing after the last outcome", async () => {
    const job = hands.map((x: number) => x, [1], { onBreak: "cancel" });
    await job;
    for await (const _ of job) break;
    expect((await job.status()).state).toBe("finished");
  });
});
