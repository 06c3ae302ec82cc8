import { describe, expect, test } from "vitest";
import {
  square,
  squares,
  VerificationWorld,
  wrong,
  type Computer,
} from "../../support/verification-world.ts";

describe("[VERIFY-4] a wrong result", () => {
  test("is computed twice; then everything provisional of its client is withdrawn, and the client is banned", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(100);
    const cheat = world.stranger(wrong);
    await world.work(cheat);
    await world.workAll();
    world.trusted();
    world.trusted();
    await world.workAll();
    expect(cheat.refused).toMatch(/differed from what others computed twice/);
    expect(await world.outputsInOrder(job)).toEqual(squares(100));
    const row = await world.row(job);
    expect(row).toMatchObject({ state: "finished", failed: 0, provisional: 0 });
    expect(row.statement).toMatchObject({ strangers: 0, wrong: 1, withdrawn: 100 });
  });

  test("of a single trusted client is computed twice by it", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40);
    const cheat = world.stranger(wrong);
    await world.work(cheat);
    await world.work(world.trusted());
    await world.workAll();
    expect(cheat.refused).toBeDefined();
    expect(await world.outputsInOrder(job)).toEqual(squares(40));
  });

  test("has the pending newcomers of its cohort audited in full, and withdraws none of theirs", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(200);
    const honest = world.stranger(square);
    await world.work(honest, 100);
    const cheat = world.stranger(wrong);
    await world.work(cheat, 60);
    world.leave(cheat.id);
    world.leave(honest.id);
    await world.workAll();
    world.trusted();
    await world.workAll();
    const { statement, done } = await world.row(job);
    expect(done).toBe(200);
    expect(statement.strangers).toBe(100);
    // The auditor computes the 100 tasks of the honest client again.
    expect(statement.audited).toBeGreaterThanOrEqual(100);
    expect(await world.outputsInOrder(job)).toEqual(squares(200));
  });

  test("counts no attempt", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30, { maxAttempts: 1 });
    await world.work(world.stranger(wrong));
    world.trusted();
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 30, failed: 0 });
  });

  test("a kernel that fails in the audit contradicts an output", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    await world.job(30);
    const cheat = world.stranger(square);
    await world.work(cheat);
    world.trusted(() => new Error("no such input"));
    await world.workAll();
    expect(cheat.refused).toBeDefined();
  });
});

describe("[VERIFY-5] a kernel that gives different results", () => {
  test("is doubted after three cohorts; bans are lifted, and trusted clients compute the job", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(120);
    const strangers = ["a", "b", "c"].map((cohort) => world.stranger(wrong, cohort));
    for (const stranger of strangers) await world.work(stranger, 20);
    for (const stranger of strangers) world.leave(stranger.id);
    await world.settle();
    world.trusted();
    await world.workAll();
    const row = await world.row(job);
    expect(row.statement).toMatchObject({ irreproducible: true, strangers: 0, withdrawn: 60 });
    expect(world.pardoned).toHaveLength(2);
    expect(row).toMatchObject({ state: "finished", done: 120 });
    expect(await world.outputsInOrder(job)).toEqual(squares(120));
  });

  test("is not doubted because of cheats in three cohorts, when most audits agree", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(200);
    const honest = world.stranger(square, "honest");
    await world.work(honest, 140);
    const cheats = ["a", "b", "c", "d"].map((cohort) => world.stranger(wrong, cohort));
    for (const cheat of cheats) await world.work(cheat, 10);
    world.leave(honest.id);
    world.trusted();
    await world.workAll();
    expect(cheats.filter(({ refused }) => refused)).toHaveLength(4);
    expect(world.pardoned).toEqual([]);
    expect(await world.outputsInOrder(job)).toEqual(squares(200));
    expect((await world.row(job)).statement).toMatchObject({ irreproducible: false, wrong: 4 });
  });

  test("is doubted when tasks are wrong a second time in another cohort, although most audits agree", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    // Enough tasks that audits, which are drawn by chance, come upon wrong ones again and again.
    const job = await world.job(1500);
    const differs: Computer = (input) => (input as number) ** 2 + ((input as number) % 5 === 0 ? 0.5 : 0);
    const even = world.stranger(square, "other engine");
    await world.work(even, 200);
    world.leave(even.id);
    const auditor = world.join(square, { trusted: true, auditor: true });
    await world.work(auditor);
    for (let cohort = 0; cohort < 40 && !(await world.row(job)).statement.irreproducible; cohort++) {
      const stranger = world.stranger(differs, `cohort ${cohort}`);
      await world.work(stranger, 30);
      await world.work(auditor);
      if (world.clients.has(stranger.id)) world.leave(stranger.id);
      await world.work(auditor);
    }
    expect((await world.row(job)).statement.irreproducible).toBe(true);
    expect(world.pardoned.length).toBeGreaterThan(2);
    expect((await world.row(job)).statement.audited).toBeGreaterThan(world.pardoned.length);
  });

  test("is doubted at once when two trusted computations differ", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30);
    let calls = 0;
    await world.work(world.stranger(square));
    world.trusted((input) => (input as number) + (calls += 0.5));
    await world.workAll();
    expect((await world.row(job)).statement.irreproducible).toBe(true);
    expect(await world.work(world.stranger(square))).toBe(0);
  });
});

describe("a customer that changes how a job is verified", () => {
  test("[VERIFY-5] ends the doubt, and accepts what is provisional with off", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40);
    await world.work(world.stranger(square), 20);
    await world.store.setVerify(job, { verify: "off", compare: "bits" });
    world.feed({ type: "jobChanged", job, verification: { verify: "off", compare: "bits", requires: {} } });
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 40, provisional: 0 });
  });
});
