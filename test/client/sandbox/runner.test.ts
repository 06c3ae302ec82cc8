import { describe, expect, test } from "vitest";
import { DataReference } from "../../../shared/data-reference.ts";
import { sha256Hex } from "../../../shared/hash.ts";
import { limits } from "../../../shared/limits.ts";
import { seededRandom } from "../../../shared/random.ts";
import { failureOf, outputOf, RunnerHarness } from "../../support/client-runner-harness.ts";

test("[VALUE-2] the tasks of a bundle share no memory: one that fills all it can reach harms no other", async () => {
  const harness = new RunnerHarness();
  const inputs = [1, 2, 3].map((fill) => new Uint8Array(4).fill(fill));
  const kernel =
    "(bytes) => { const seen = [...bytes]; new Uint8Array(bytes.buffer).fill(99); return seen; }";
  const tasks = await harness.run(kernel, inputs);
  expect(tasks.map(outputOf)).toEqual(inputs.map((bytes) => [...bytes]));
});

describe("kernels", () => {
  test("sync and async kernels give outputs in order; data references among them are named", async () => {
    const h = new RunnerHarness();
    expect((await h.run("(x) => x * x", [1, 2, 3])).map(outputOf)).toEqual([1, 4, 9]);
    const [done] = await new RunnerHarness().run("async (x, ctx) => ({ ref: await ctx.put(x) })", [
      new Uint8Array([1, 2]),
    ]);
    const sha256 = sha256Hex(new Uint8Array([1, 2]));
    expect(done?.outcome).toMatchObject({ state: "done", refs: [{ sha256, size: 2 }] });
  });

  test("a module without a default-exported function does not load, and says what was expected", async () => {
    const h = new RunnerHarness();
    const load = (source: string) => h.runner.load(source, new TextEncoder().encode(source));
    await expect(load("export const kernel = 1")).rejects.toThrow("export default (input, ctx)");
    await expect(load("throw new Error('at the top')")).rejects.toThrow("at the top");
    await expect(load("this is not JavaScript")).rejects.toThrow();
  });

  test("[FAIL-1] any thrown value fails its task with message and stack", async () => {
    const thrown = [
      "new TypeError('bad')",
      "'text'",
      "null",
      "undefined",
      "{ code: 7 }",
      "new Proxy({}, { get() { throw 1; }, has() { throw 2; } })",
      "Object.assign(new Error(), { message: 'x'.repeat(1e6), stack: 'y'.repeat(1e6) })",
    ];
    const h = new RunnerHarness();
    const results = await h.run(
      `(i) => { throw [${thrown.map((text) => `() => (${text})`).join(",")}][i](); }`,
      [...thrown.keys()],
    );
    const failures = results.map(failureOf);
    expect(failures.map(({ kind }) => kind)).toEqual(thrown.map(() => "error"));
    expect(failures[0]).toMatchObject({
      message: "TypeError: bad",
      stack: expect.stringContaining("TypeError: bad"),
    });
    expect(failures[1]?.message).toContain('"text"');
    expect(failures[4]?.message).toContain('{"code":7}');
    for (const { message, stack = "" } of failures) {
      expect(message.length).toBeLessThanOrEqual(limits.messageChars);
      expect(stack.length).toBeLessThanOrEqual(limits.stackChars);
    }
  });

  test("a task's failure leaves the next task alone; a rejected promise is a failure, too", async () => {
    const h = new RunnerHarness();
    const results = await h.run("async (x) => { if (x) throw new Error('no'); return 1; }", [1, 0]);
    expect(failureOf(results[0])).toMatchObject({ kind: "error", message: "no" });
    expect(outputOf(results[1])).toBe(1);
  });

  test("[FAIL-1] an output that is no value is named, without a stack of the runner's", async () => {
    const h = new RunnerHarness();
    const results = await h.run("(i) => [() => 1, new Map(), { get x() { throw 1; } }, 3n][i]", [0, 1, 2, 3]);
    expect(results.map((task) => failureOf(task))).toEqual(
      ["a function", "an instance of Map", "reading it threw", "the BigInt 3n"].map((name) => ({
        kind: "unserialisable",
        message: expect.stringMatching(`^The value cannot be sent: ${name}`) as string,
      })),
    );
  });

  test("data that cannot be had is a failure of kind data, unless the kernel handles it", async () => {
    const ref = new DataReference(sha256Hex(new Uint8Array([1])), 1);
    const h = new RunnerHarness();
    const [bare, wrapped, handled] = await h.run(
      `async (mode, ctx) => {
        const ref = ctx.resume;
        if (mode === 0) return (await ctx.data(ref)).length;
        try { return (await ctx.data(ref)).length; } catch (cause) {
          if (mode === 1) throw new Error("wrapped", { cause });
          return "handled";
        }
      }`,
      [0, 1, 2],
      ref,
    );
    expect(failureOf(bare)).toMatchObject({ kind: "data", message: expect.stringContaining("no such blob") });
    expect(failureOf(wrapped).kind).toBe("data");
    expect(outputOf(handled)).toBe("handled");
  });

  test("[DATA-6] ctx.data gives the bytes of the range, and refuses what is no reference", async () => {
    const h = new RunnerHarness();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    h.blobs.set(sha256Hex(bytes), bytes);
    const ref = new DataReference(sha256Hex(bytes), 4);
    const results = await h.run("async (ref, ctx) => await ctx.data(ref)", [ref, ref.slice(1, 3), "text"]);
    expect(outputOf(results[0])).toEqual(bytes);
    expect(outputOf(results[1])).toEqual(new Uint8Array([2, 3]));
    expect(failureOf(results[2])).toMatchObject({
      kind: "error",
      message: expect.stringContaining("reference"),
    });
  });

  test("[KERNEL-3] random is the task's own stream, seeded by job and index", async () => {
    const h = new RunnerHarness();
    const results = await h.run("(_, ctx) => [ctx.random(), ctx.random()]", [0, 0]);
    const second = seededRandom("seed/1");
    expect(outputOf(results[1])).toEqual([second(), second()]);
    expect(outputOf(results[0])).not.toEqual(outputOf(results[1]));
  });

  test("ctx is frozen, knows index, attempt and resume, and is dead after its task", async () => {
    const h = new RunnerHarness();
    const results = await h.run(
      `(i, ctx) => {
        if (i === 0) {
          globalThis.leftover = ctx;
          return [Object.isFrozen(ctx), ctx.index, ctx.attempt, ctx.resume, ctx.signal.aborted];
        }
        leftover.log("late"); leftover.progress(0.5); leftover.checkpoint(1);
        return leftover.signal.aborted;
      }`,
      [0, 1],
      "state",
    );
    expect(outputOf(results[0])).toEqual([true, 0, 1, "state", false]);
    expect(outputOf(results[1])).toBe(true);
    expect(h.reports.some(({ log, progress, checkpoint }) => log ?? progress ?? checkpoint)).toBe(false);
  });
});

describe("reports", () => {
  test("finished tasks are reported together: many after 20 ms, a few after 250 ms, and at the end", async () => {
    const h = new RunnerHarness();
    h.stepMs = 0.1;
    await h.run("(x) => x", Array(1000).fill(0));
    expect(h.finished).toHaveLength(1000);
    expect(h.reports.length).toBeGreaterThan(3);
    expect(h.reports.length).toBeLessThan(30);

    h.reports.length = 0;
    h.stepMs = 5;
    await h.run("(x) => x", Array(100).fill(0));
    const sizes = h.reports.map(({ finished }) => finished?.length ?? 0);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(100);
    expect(sizes[0]).toBeGreaterThan(10);
    expect(sizes[0]).toBeLessThan(60);
  });

  test("progress and checkpoints: the first at once, then one in 100 ms, the newest wins", async () => {
    const h = new RunnerHarness();
    h.stepMs = 1;
    await h.run(
      "(_, ctx) => { for (let i = 0; i < 1000; i++) { ctx.progress(i / 1000); ctx.checkpoint(i); } }",
      [0],
    );
    const fractions = h.reports.flatMap(({ progress }) => progress?.fraction ?? []);
    expect(fractions[0]).toBe(0);
    expect(fractions.length).toBeGreaterThan(5);
    expect(fractions.length).toBeLessThan(50);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(h.reports.filter(({ checkpoint }) => checkpoint).length).toBeLessThan(50);
  });

  test("a checkpoint over the limit is refused to the kernel's face", async () => {
    const h = new RunnerHarness();
    const [task] = await h.run(`(_, ctx) => ctx.checkpoint(new Uint8Array(${limits.checkpointBytes}))`, [0]);
    expect(failureOf(task).message).toContain("at most");
    expect(h.reports.some(({ checkpoint }) => checkpoint)).toBe(false);
  });

  test("the first lines leave at once, floods are cut, odd parts are printed", async () => {
    const h = new RunnerHarness();
    await h.run("(_, ctx) => ctx.log('a', 1, { b: 2 }, new Float32Array(4), undefined, new Error('e'))", [0]);
    expect(h.reports[0]?.log?.lines[0]).toMatch(/^a 1 \{"b":2\} Float32Array\(16 bytes\) undefined Error: e/);
    const flood = new RunnerHarness();
    await flood.run("(_, ctx) => { for (let i = 0; i < 5000; i++) ctx.log('x'.repeat(5000)); }", [0]);
    const lines = flood.reports.flatMap(({ log }) => log?.lines ?? []);
    expect(lines).toHaveLength(1000);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(limits.logLineChars);
  });

  test("bundles queue up: a second one waits for the first", async () => {
    const h = new RunnerHarness();
    await Promise.all([
      h.run("async (x) => { await null; await null; return x; }", [1, 2]),
      h.run("(x) => -x", [3]),
    ]);
    expect(h.finished.map(outputOf)).toEqual([1, 2, -3]);
  });
});
