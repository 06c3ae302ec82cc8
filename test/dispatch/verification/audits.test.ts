import { describe, expect, test } from "vitest";
import { square, squares, VerificationWorld, wrong } from "../../support/verification-world.ts";

describe("[VERIFY-1] results of strangers", () => {
  test("are accepted as they come when nothing is verified", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(20, { verify: "off" });
    await world.work(world.stranger(square));
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 20, provisional: 0 });
  });

  test("of trusted clients are accepted as they come", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(20);
    await world.work(world.trusted());
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 20, statement: { strangers: 0 } });
  });

  test("are not asked for when only trusted clients may compute the job", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(20, { verify: "trusted" });
    expect(await world.work(world.stranger(square))).toBe(0);
    expect(await world.work(world.trusted())).toBe(20);
    expect(await world.row(job)).toMatchObject({ state: "finished" });
  });
});

describe("[VERIFY-2] [VERIFY-3] provisional results", () => {
  test("are audited by others of their window when the tasks of the audits end otherwise", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(20);
    await world.work(world.stranger(wrong));
    const { scheduler } = world.dispatcher;
    const [window] = scheduler.state.jobs.get(job)!.windows.values();
    const chosen = [...window!.chosen];
    expect(chosen.length).toBeGreaterThan(0);
    world.dispatcher.feed({ type: "tasksEnded", job, indexes: chosen });
    await world.work(world.trusted());
    expect([...(await world.outputs(job))].filter(([index, output]) => output !== index ** 2)).toEqual([]);
    expect((await world.row(job)).statement).toMatchObject({ wrong: 1 });
  });

  test("are no outcomes before their window was audited", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(100);
    const stranger = world.stranger(square);
    await world.work(stranger);
    expect(await world.row(job)).toMatchObject({ done: 0, provisional: 100, lastSeq: 0, state: "closed" });
    expect((await world.outputs(job)).size).toBe(0);
    expect(world.auditorsCalled).toBeGreaterThan(0);
    const node = world.trusted();
    expect(await world.work(node)).toBe(12);
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      done: 100,
      provisional: 0,
      statement: { strangers: 100, audited: 12, wrong: 0, withdrawn: 0, irreproducible: false },
    });
    expect(await world.outputsInOrder(job)).toEqual(squares(100));
  });

  test("a window closes at 256 results, at the end of the session, and after 15 minutes", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    await world.job(2000);
    const a = world.stranger(square, "a");
    await world.work(a, 300);
    const state = world.dispatcher.scheduler.state;
    const windows = () =>
      [...[...state.jobs.values()][0]!.windows.values()].map(({ place, results }) => [place, results.length]);
    const [first, second] = windows();
    expect(first).toEqual(["judging", 256]);
    expect(second![0]).toBe("open");
    world.leave(a.id);
    expect(windows()[1]![0]).toBe("judging");
    const b = world.stranger(square, "b");
    await world.work(b, 10);
    expect(windows()[2]![0]).toBe("open");
    await world.pass(15 * 60_000);
    expect(windows()[2]![0]).toBe("judging");
  });

  test("[VERIFY-6] without anybody who could audit them they are accepted, and count as unaudited", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(30);
    await world.work(world.stranger(square));
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      done: 30,
      statement: { audited: 0, unverified: 30, strangers: 30 },
    });
  });

  test("[VERIFY-6] tasks that trusted clients cannot compute count as unverified, and hold up no window", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30);
    const stranger = world.stranger(square);
    await world.work(stranger);
    world.trusted(() => new Error("too little memory", { cause: "memory" }));
    await world.workAll();
    expect(stranger.refused).toBeUndefined();
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      done: 30,
      statement: { audited: 0, unverified: 4, strangers: 30, withdrawn: 0 },
    });
  });

  test("[VERIFY-6] cohorts that disagree wait half an hour for a third one", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10);
    const a = world.stranger(square, "a");
    world.stranger(wrong, "b");
    await world.work(a);
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ done: 0, provisional: 10 });
    await world.pass(31 * 60_000);
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      done: 10,
      statement: { unverified: 10 },
    });
  });

  test.each([
    ["contradict it", wrong],
    ["fail at its task", (): Error => new Error("I say so")],
  ])("[VERIFY-6] a result is audited by strangers that %s: nobody is banned", async (_, compute) => {
    const world = await VerificationWorld.open();
    const job = await world.job(10);
    const clients = [square, compute, compute].map((how, i) => world.stranger(how, `cohort ${i}`));
    await world.work(clients[0]!);
    await world.workAll();
    await world.pass(1000);
    await world.workAll();
    expect(clients.map(({ refused }) => refused)).toEqual([undefined, undefined, undefined]);
    expect(clients[1]!.answered + clients[2]!.answered).toBeGreaterThan(3);
    expect((await world.row(job)).statement).toMatchObject({ wrong: 0 });
  });

  test("[VERIFY-6] without a trusted client another cohort audits them", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(30);
    const stranger = world.stranger(square, "a");
    const other = world.stranger(square, "b");
    await world.work(stranger);
    await world.workAll();
    expect(other.answered).toBeGreaterThan(1);
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 30, statement: { wrong: 0 } });
    expect((await world.row(job)).statement.audited).toBeGreaterThan(1);
  });

  test("survive the server: the next one judges them", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(60);
    await world.work(world.stranger(square));
    await world.start();
    expect(await world.row(job)).toMatchObject({ done: 0, provisional: 60 });
    await world.work(world.trusted());
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 60, statement: { audited: 8 } });
  });

  test("a cancelled job forgets them", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(60);
    await world.work(world.stranger(square), 20);
    const row = await world.store.endJob(job, "cancelled");
    world.feed({ type: "jobEnded", job });
    expect(row).toMatchObject({ provisional: 0, done: 0, outputBytes: 0 });
    await world.work(world.trusted());
    expect(await world.store.listWindows()).toEqual([]);
  });
});
