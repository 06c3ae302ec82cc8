import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hands, Progress } from "../../customer/index.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

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
