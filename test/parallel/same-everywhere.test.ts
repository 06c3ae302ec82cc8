import { afterAll, beforeAll, expect, it } from "vitest";
import {
  connect,
  TaskError,
  type Hands,
  type KernelContext,
  type PlatformError,
  type Value,
} from "../../parallel/index.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { temporaryDirectory } from "../support/processes.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

/** A program whose results must be the same with every kind of parallelism. */
async function program(hands: Hands): Promise<Record<string, unknown>> {
  const values: Value[] = [
    null,
    "text ✓",
    [1, [2, { three: 3 }]],
    new Uint8Array([1, 2, 3]),
    new Float32Array([0.1, -2]),
    new BigInt64Array([2n ** 60n]),
    new Float64Array(100_000).fill(Math.PI),
  ];
  return {
    seeded: await hands.map(seeded, [1, 2, 3], { seed: "seed" }),
    values: await hands.map((value: Value) => value, values),
    data: await readParts(hands),
    progress: await lastProgress(hands),
    failures: await failures(hands),
    resumed: await hands.map(resuming, [3], { maxAttempts: 2 }),
    cancelled: await cancelled(hands),
  };
}

function seeded(x: number, ctx: KernelContext): number[] {
  return [x, ctx.index, ctx.random(), ctx.random()];
}

async function readParts(hands: Hands): Promise<unknown> {
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 251);
  const stack = await hands.put(bytes);
  const parts = [stack.slice(0, 5), stack.slice(2_999_990, 3_000_000), stack];
  const sums = await hands.map(async (part, ctx) => {
    const read = await ctx.data(part);
    return { length: read.length, copy: await ctx.put(read.subarray(0, 4)) };
  }, parts);
  return Promise.all(sums.map(async ({ length, copy }) => ({ length, copy: await hands.get(copy) })));
}

async function lastProgress(hands: Hands): Promise<unknown> {
  let last: unknown;
  await hands.map((x: number) => x, [1, 2, 3, 4], {
    onProgress: ({ done, failed, total }) => (last = { done, failed, total }),
  });
  return last;
}

async function failures(hands: Hands): Promise<unknown> {
  const seen: unknown[] = [];
  const fussy = (x: number): number => {
    if (x === 2) throw new RangeError("no twos");
    return x;
  };
  for await (const { index, output, error } of hands.map(fussy, [1, 2, 3], { maxAttempts: 2 }))
    seen[index] =
      error instanceof TaskError
        ? [error.kind, error.attempts, error.message, error.stack?.includes("fussy")]
        : output;
  return seen;
}

function resuming(x: number, ctx: KernelContext): unknown {
  const resume = (ctx.resume ?? { step: 0 }) as { step: number };
  if (ctx.attempt > 1) return { x, from: resume.step };
  ctx.checkpoint({ step: 41 });
  throw new Error("once more");
}

async function cancelled(hands: Hands): Promise<unknown> {
  const job = hands.map(() => {
    for (;;);
  }, [1, 2]);
  const given = job.then(
    () => "done",
    (error: unknown) => (error as PlatformError).code,
  );
  await job.cancel();
  return [await given, (await job.status()).state];
}

it("[PAR-3] gives the same, bit for bit, under dc, thread, and thread with SCRATCH", async () => {
  const scratch = await temporaryDirectory();
  const specs = [
    `dc:localhost:${platform.server.port}:token=${platform.server.token}`,
    "thread:2",
    `thread:2:${scratch}`,
  ];
  const [dc, ...others] = await Promise.all(
    specs.map(async (spec) => {
      await using hands = await connect(spec);
      return await program(hands);
    }),
  );
  expect(dc?.["progress"]).toEqual({ done: 4, failed: 0, total: 4 });
  expect(dc?.["resumed"]).toEqual([{ x: 3, from: 41 }]);
  expect(dc?.["cancelled"]).toEqual(["JOB_CANCELLED", "cancelled"]);
  for (const other of others) expect(other).toEqual(dc);
});

it("[PAR-4] name and priority of the string are those of its jobs", async () => {
  await using hands = await connect("thread:1:name=night run:priority=7");
  const job = hands.map((x: number) => x, [1]);
  await job;
  expect(await job.status()).toMatchObject({ name: "night run", priority: 7 });
  const own = hands.map((x: number) => x, [1], { name: "mine", priority: 1 });
  await own;
  expect(await own.status()).toMatchObject({ name: "mine", priority: 1 });
});
