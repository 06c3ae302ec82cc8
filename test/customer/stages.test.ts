import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hands, KernelContext } from "../../customer/index.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

describe("a program of several stages", () => {
  it("[AFTER-1] submits them all at once and reads the last", async () => {
    const started = Date.now();
    const stamp = async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return Date.now();
    };
    const options = { group: "stages", math: "native" } as const;
    const first = hands.map(stamp, [150, 150, 150], options);
    const second = hands.map(stamp, [1, 1], { ...options, after: [first] });
    const third = hands.map(stamp, [1], { ...options, after: [second, await first.id] });
    const [last] = await third;
    const [ones, twos] = [await first, await second];
    expect(Math.min(...ones)).toBeGreaterThan(started);
    expect(Math.min(...twos)).toBeGreaterThanOrEqual(Math.max(...ones));
    expect(last).toBeGreaterThanOrEqual(Math.max(...twos));
    expect((await hands.group("stages").jobs()).map(({ state }) => state)).toEqual(Array(3).fill("finished"));
  });

  it("[AFTER-2] a stage that fails fails what waits on it: awaited, iterated, settled, each with the reason", async () => {
    const first = hands.map(
      () => {
        throw new Error("bad stage");
      },
      [1],
      { name: "stage one", maxAttempts: 1 },
    );
    const second = hands.map((x: number) => x, [1, 2], { after: [first] });
    await expect(second).rejects.toMatchObject({
      code: "JOB_BLOCKED",
      message: expect.stringMatching(/stage one.*1 of 1 tasks failed/),
    });
    await expect(first).rejects.toMatchObject({ code: "TASK_FAILED" });
    await expect(second.outcomes().next()).rejects.toMatchObject({ code: "JOB_BLOCKED" });
    const settled = await second.settled();
    expect(settled.map((task) => task.status === "failed" && task.error.kind)).toEqual([
      "blocked",
      "blocked",
    ]);

    const late = hands.map((x: number) => x, [1, 2], { after: [second] });
    await expect(late).rejects.toMatchObject({ code: "JOB_BLOCKED" });
    await expect(late.submitted).rejects.toMatchObject({ code: "JOB_BLOCKED" });
  });

  it("[AFTER-5] a stage blocked by a failed stage goes on by itself once the failed stage was requeued, and gives its results", async () => {
    const later = Promise.withResolvers<void>();
    async function* inputs() {
      await later.promise;
      yield 1;
    }
    const first = hands.map(
      (x: number, ctx: KernelContext) => {
        if (ctx.attempt === 1) throw new Error("the first time");
        return x + 1;
      },
      inputs(),
      { maxAttempts: 1 },
    );
    const second = hands.map((x: number) => x * 2, [1, 2], { after: [first] });
    const third = hands.map((x: number) => x * 3, [1, 2], { after: [second] });
    // A job that is blocked before it has its inputs stays open for them.
    await Promise.all([second.submitted, third.submitted]);
    later.resolve();
    await expect(third).rejects.toMatchObject({ code: "JOB_BLOCKED" });
    await first.requeueFailed();
    expect(await first).toEqual([2]);
    await expect.poll(async () => (await third.status()).state).toBe("finished");
    expect(await Promise.all([second, third])).toEqual([
      [2, 4],
      [3, 6],
    ]);
  });

  it("[AFTER-3] naming a job that is not there is refused", async () => {
    const job = hands.map((x: number) => x, [1], { after: ["j_aaaaaaaaaaaaaaaa"] });
    await expect(job).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("[GROUP-1] cancelled as one", async () => {
    const forever = () => new Promise<number>(() => undefined);
    const first = hands.map(forever, [1], { group: "doomed" });
    const second = hands.map((x: number) => x, [1], { group: "doomed", after: [first] });
    await second.submitted;
    const progress = await second.status();
    expect(progress.waitingFor).toEqual([await first.id]);
    expect(await hands.group("doomed").cancel()).toHaveLength(2);
    await expect(first).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await expect(second).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(() => hands.group("")).toThrow(/1 to 200/);
  });
});
