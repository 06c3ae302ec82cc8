import { describe, expect, test } from "vitest";
import type { Sha256 } from "../../../shared/ids.ts";
import type { Value } from "../../../shared/wire/codec.ts";
import { square, squares, VerificationWorld } from "../../support/verification-world.ts";

describe("[VERIFY-7] a comparator", () => {
  test("takes results within its tolerance for the same", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30, { compare: { rel: 1e-9 } });
    await world.work(world.stranger((input) => (input as number) ** 2 * (1 + 1e-12)));
    world.trusted();
    await world.workAll();
    expect(await world.row(job)).toMatchObject({
      done: 30,
      statement: { wrong: 0, strangers: 30, audited: 4 },
    });
  });

  test("takes a part of the largest number of an array for its tolerance, in arrays of floats and in lists", async () => {
    const arrays: ((numbers: number[]) => Value)[] = [
      (numbers) => Float32Array.from(numbers),
      (numbers) => numbers,
    ];
    for (const array of arrays)
      for (const [error, wrong] of [
        [0.5, 0],
        [2, 1],
      ] as const) {
        const world = await VerificationWorld.open({ auditors: true });
        const job = await world.job(10, { compare: { norm: 1e-3 } });
        const vector = (error: number) => () => array([-1000, 0.1 + error, Infinity]);
        await world.work(world.stranger(vector(error)));
        world.trusted(vector(0));
        await world.workAll();
        expect(await world.row(job)).toMatchObject({ done: 10, statement: { wrong } });
      }
  });

  test("leaves integers of 64 bits and objects beside numbers as they are", async () => {
    const output = (error: number): Value => [
      { valueOf: "name", ids: BigInt64Array.of(1n, -(2n ** 60n)) },
      [1000, error],
    ];
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(10, { compare: { norm: 1e-3 } });
    await world.work(world.stranger(() => output(0.5)));
    world.trusted(() => output(0));
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ done: 10, statement: { wrong: 0 } });
  });

  test("of the kernel module is called by a trusted client", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30, { compare: "kernel" });
    await world.work(world.stranger((input) => (input as number) ** 2 + 0.25));
    let compared = 0;
    world.trusted((input, task) => {
      if (task.call?.name !== "compare") return (input as number) ** 2;
      compared += 1;
      return true;
    });
    await world.workAll();
    expect(compared).toBe(4);
    expect(await world.row(job)).toMatchObject({ done: 30, statement: { wrong: 0, strangers: 30 } });
  });
});

describe("[VERIFY-7] outputs that cannot be compared", () => {
  test("because they are too large: the trusted client's are the outcomes, and nobody is blamed", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(10, { compare: { rel: 1e-6 } });
    const blob = (letter: string) => ({ blob: { sha256: letter.repeat(64) as Sha256, size: 1e8 } });
    const stranger = world.stranger(() => blob("a"));
    await world.work(stranger);
    world.trusted(() => blob("b"));
    await world.workAll();
    expect(stranger.refused).toBeUndefined();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 10, provisional: 0 });
    const outputs = (await world.store.results(job, 0, 10, 1e6)).map(
      (row) => row.state === "done" && row.output,
    );
    expect(
      outputs.filter((output) => output && "sha256" in output && output.sha256.startsWith("b")),
    ).toHaveLength(10);
  });

  test("have the others of their window audited as well, although those agree", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(100, { compare: { rel: 1e-6 } });
    const large = { blob: { sha256: "a".repeat(64) as Sha256, size: 1e8 } };
    await world.work(world.stranger((input, task) => ((input as number) % 2 ? square(input, task) : large)));
    let computed = 0;
    world.trusted((input, task) => {
      computed += 1;
      return square(input, task);
    });
    await world.workAll();
    expect(computed).toBe(100);
    expect(await world.outputsInOrder(job)).toEqual(squares(100));
  });

  test("because trusted clients cannot call the kernel module are replaced", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30, { compare: "kernel" });
    const stranger = world.stranger((input) => (input as number) + 0.5);
    await world.work(stranger);
    let asked = 0;
    world.trusted((input, task) => {
      if (task.call?.name === "compare") return new Error("out of memory", { cause: "memory" });
      asked += 1;
      return (input as number) ** 2;
    });
    await world.workAll();
    expect(asked).toBe(30);
    expect(stranger.refused).toBeUndefined();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 30, statement: { strangers: 0 } });
    expect(await world.outputsInOrder(job)).toEqual(squares(30));
  });
});
