import { afterAll, beforeAll, expect, it } from "vitest";
import type { Hands, Progress } from "../../customer/index.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

it("tells clients, slots, and their expected rate once a job was measured", async () => {
  await expect.poll(async () => (await hands.capacity()).slots).toBe(2);
  expect(await hands.capacity()).toEqual({
    clients: 1,
    slots: 2,
    busy: 0,
    rate: 0,
    tasksPerSecond: null,
    kinds: {
      browser: { clients: 0, slots: 0, busy: 0, meanTaskMs: null },
      node: { clients: 1, slots: 2, busy: 0, meanTaskMs: null },
    },
  });
  const kernel = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
  };
  await hands.map(kernel, Array(10).fill(100));
  const { rate, tasksPerSecond, kinds } = await hands.capacity();
  expect(rate).toBeGreaterThan(0);
  expect(kinds.node.meanTaskMs).toBeGreaterThanOrEqual(95);
  // Two slots at 100 ms a task do at most 20 tasks a second, and fewer on a busy machine.
  expect(tasksPerSecond).toBeLessThan(21.1);
  expect(tasksPerSecond).toBeCloseTo(2000 / (kinds.node.meanTaskMs ?? 0), 6);
});

it("[PROGRESS-1] the fraction moves while one long task runs", async () => {
  const kernel = async (seconds: number, ctx: { progress(fraction: number): void }) => {
    for (let waitedMs = 0; waitedMs < seconds * 1000; waitedMs += 10) {
      ctx.progress(waitedMs / 1000 / seconds);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return seconds;
  };
  const seen: Progress[] = [];
  await hands.map(kernel, [5], { onProgress: (progress) => seen.push(progress) });
  const during = seen.filter(({ done, fraction }) => done === 0 && fraction > 0);
  expect(new Set(during.map(({ fraction }) => fraction)).size).toBeGreaterThanOrEqual(2);
  for (const { fraction, running } of during)
    expect({ running, less: fraction < 1 }).toEqual({ running: 1, less: true });
  expect(during.map(({ fraction }) => fraction)).toEqual(
    during.map(({ fraction }) => fraction).toSorted((a, b) => a - b),
  );
  expect(seen.at(-1)).toMatchObject({ done: 1, fraction: 1 });
});
