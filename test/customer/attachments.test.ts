import { afterAll, beforeAll, expect, test } from "vitest";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

test("[ATTACH-1] a program attaches to its job, reads it back and takes it away", async () => {
  const hands = await platform.connect();
  const job = hands.map((x: number) => x, [1], { name: "with figure" });
  await job;
  expect(await job.attach("table.csv", "a,b\n1,2\n")).toMatchObject({ type: "text/csv", size: 8 });
  const view = hands.job(await job.id);
  expect((await view.attachments()).map(({ name }) => name)).toEqual(["table.csv"]);
  expect(Buffer.from(await view.attachment("table.csv")).toString()).toBe("a,b\n1,2\n");
  await expect(job.attach("page.html", "<p>")).rejects.toMatchObject({ code: "UNSUPPORTED_TYPE" });
  await view.detach("table.csv");
  expect(await view.attachments()).toEqual([]);
  await expect(view.attachment("table.csv")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("[COST-1] a program reads what its job cost", async () => {
  const hands = await platform.connect();
  const kernel = (rounds: number) => {
    let sum = 0;
    for (let i = 0; i < rounds; i++) sum += Math.sqrt(i);
    return sum;
  };
  const job = hands.map(kernel, [1, 10_000_000, 1]);
  await job;
  const cost = await job.cost();
  expect(cost.attempts).toBe(3);
  expect(cost.slowest[0]).toMatchObject({ index: 1 });
  expect(cost.computedMs).toBeGreaterThanOrEqual(cost.slowest[0]!.elapsedMs);
});

test("[RETRY-1] a program tries chosen failures again, of a job and of a group of jobs", async () => {
  const hands = await platform.connect();
  const kernel = (x: number) => {
    if (x > 1) throw new Error(x === 2 ? "disk full" : `no particle ${x}`);
    return x;
  };
  const options = { maxAttempts: 1, failFast: false, group: "retried", name: "retried" };
  const job = hands.map(kernel, [1, 2, 3, 4], options);
  await expect(job).rejects.toThrow(/3 of 4/);
  const { groups } = await job.failureGroups();
  expect(groups.map(({ pattern, count }) => [pattern, count])).toEqual([
    ["no particle #", 2],
    ["disk full", 1],
  ]);
  const [{ kind, pattern } = groups[0]!] = groups;
  expect(await job.requeueFailed({ group: { kind, pattern } })).toBe(2);
  await expect(job).rejects.toThrow(/3 of 4/);
  expect(await job.requeueFailed({ message: "DISK" })).toBe(1);
  await expect(job).rejects.toThrow(/3 of 4/);
  expect(await hands.group("retried").requeueFailed()).toEqual({
    requeued: 3,
    jobs: [{ id: await job.id, requeued: 3 }],
  });
});
