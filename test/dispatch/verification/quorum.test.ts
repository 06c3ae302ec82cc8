import { describe, expect, test } from "vitest";
import { liar, square, squares, VerificationWorld, wrong } from "../../support/verification-world.ts";

describe("[VERIFY-10] a cohort with little evidence", () => {
  test("waits for more of it while the job goes on, at most 15 minutes", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(6000);
    const stranger = world.stranger(square);
    await world.work(stranger, 256);
    world.feed({ type: "clientWanted", client: stranger.id, tasks: 0, slots: 4 });
    const node = world.trusted();
    world.feed({ type: "clientWanted", client: node.id, tasks: 31, slots: 1 });
    await world.work(node, 31);
    const strangers = async () => (await world.row(job)).statement.strangers;
    expect(await strangers()).toBe(0);
    await world.pass(15 * 60_000);
    expect(await strangers()).toBe(256);
  });
});

describe("a quorum", () => {
  test("[VERIFY-1] takes agreeing results of distinct cohorts", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(20, { verify: { quorum: 2 } });
    const a = world.stranger(square, "a");
    const sibling = world.stranger(square, "a");
    await world.workAll();
    expect(a.answered + sibling.answered).toBe(20);
    expect(await world.row(job)).toMatchObject({ done: 0, provisional: 20 });
    const b = world.stranger(square, "b");
    await world.workAll();
    expect(b.answered).toBe(20);
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      done: 20,
      statement: { strangers: 20, audited: 20 },
    });
    expect(await world.outputsInOrder(job)).toEqual(squares(20));
  });

  test("is found among results that disagree, and after a restart", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10, { verify: { quorum: 2 } });
    world.stranger(liar(2), "a");
    await world.workAll();
    await world.start();
    world.stranger(square, "b");
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ done: 5, provisional: 5 });
    world.stranger(square, "c");
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 10, statement: { wrong: 5 } });
    expect(await world.outputsInOrder(job)).toEqual(squares(10));
  });

  test("needs none when a trusted client computes the task", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10, { verify: { quorum: 3 } });
    world.stranger(wrong, "a");
    await world.workAll();
    world.trusted();
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 10, provisional: 0 });
    expect(await world.outputsInOrder(job)).toEqual(squares(10));
  });
});
