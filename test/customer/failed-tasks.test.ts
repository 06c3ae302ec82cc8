import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskFailedError, type Hands } from "../../customer/index.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

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
