import { describe, expect, test } from "vitest";
import type { Sha256 } from "../../shared/ids.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { square, VerificationWorld, type Computer } from "../support/verification-world.ts";

const wrong: Computer = (input) => (input as number) ** 2 + 1;
/** Lies about one task of n. */
const liar =
  (n: number): Computer =>
  (input, task) =>
    (input as number) % n === 0 ? wrong(input, task) : square(input, task);

function squares(count: number): Value[] {
  return Array.from({ length: count }, (_, index) => index ** 2);
}

async function outputsInOrder(
  world: VerificationWorld,
  job: Parameters<VerificationWorld["row"]>[0],
): Promise<Value[]> {
  return [...(await world.outputs(job))].sort(([a], [b]) => a - b).map(([, value]) => value);
}

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
    expect(await outputsInOrder(world, job)).toEqual(squares(100));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(100));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(40));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(200));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(120));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(200));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(30));
  });
});

describe("[VERIFY-8] check", () => {
  const inspector =
    (suspicious: (input: number) => boolean): Computer =>
    (input, task) =>
      task.call?.name === "inspect"
        ? {
            correct: task.call.value.length > 0 && isSquare(input as number, task.call.value),
            suspicious: suspicious(input as number),
          }
        : (input as number) ** 2;

  test("looks at every result of a stranger, and finds a single lie", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(200, { check: true });
    const cheat = world.stranger((input, task) => (input === 150 ? wrong(input, task) : square(input, task)));
    await world.work(cheat);
    world.trusted(inspector(() => false));
    await world.workAll();
    expect(cheat.refused).toMatch(/check of its kernel/);
    expect(await outputsInOrder(world, job)).toEqual(squares(200));
  });

  test("waits half an hour for a trusted node client, and no longer", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(30, { check: true });
    // The node holds a task, and inspects nothing before it leaves.
    const node = world.trusted(inspector(() => false));
    world.feed({ type: "clientWanted", client: node.id, tasks: 1, slots: 1 });
    await world.settle();
    const browser = world.join(square, { trusted: true, kind: "browser" });
    world.feed({ type: "clientWanted", client: browser.id, tasks: 0, slots: 1 });
    await world.work(world.stranger(square));
    world.leave(node.id);
    world.feed({ type: "clientWanted", client: browser.id, tasks: 16, slots: 4 });
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "closed" });
    await world.pass(31 * 60_000);
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 30 });
  });

  test("counts the inspected results; a suspicious result is audited", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(100, { check: true });
    await world.work(world.stranger(square));
    world.trusted(inspector((input) => input < 50));
    await world.workAll();
    const { statement, done } = await world.row(job);
    expect(done).toBe(100);
    expect(statement).toMatchObject({ checked: 100, wrong: 0, strangers: 100 });
    expect(statement.audited).toBeGreaterThanOrEqual(50);
    expect(statement.audited).toBeLessThanOrEqual(62);
  });
});

describe("[VERIFY-9] a stranger's checkpoint", () => {
  test("is continued by its own cohort only", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(1);
    const author = world.stranger(square, "a");
    await world.settle();
    const { task } = author.held[0]!;
    world.feed({
      type: "checkpointReceived",
      client: author.id,
      lease: { job, index: task.index, attempt: task.attempt },
      state: new Uint8Array([7]),
    });
    world.leave(author.id);
    const node = world.trusted();
    await world.settle();
    expect(node.held[0]!.task.resume).toBeUndefined();
    world.leave(node.id);
    const other = world.stranger(square, "b");
    await world.settle();
    expect(other.held[0]!.task.resume).toBeUndefined();
    world.leave(other.id);
    const sibling = world.stranger(square, "a");
    await world.settle();
    expect(sibling.held[0]!.task.resume).toEqual(new Uint8Array([7]));
  });

  test("is its author's fault when the result that continued it is wrong", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(1);
    const author = world.stranger(square, "a");
    await world.settle();
    const { task } = author.held[0]!;
    const lease = { job, index: task.index, attempt: task.attempt };
    world.feed({ type: "checkpointReceived", client: author.id, lease, state: new Uint8Array([7]) });
    world.feed({ type: "clientWanted", client: author.id, tasks: 0, slots: 1 });
    world.feed({ type: "leasesReleased", client: author.id, leases: [lease] });
    author.held.length = 0;
    const sibling = world.stranger((input, given) => (given.resume ? wrong : square)(input, given), "a");
    await world.work(sibling);
    world.trusted();
    await world.workAll();
    expect(sibling.refused).toBeUndefined();
    expect(author.refused).toBeDefined();
    expect(await outputsInOrder(world, job)).toEqual(squares(1));
  });
});

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
    expect(await outputsInOrder(world, job)).toEqual(squares(20));
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
    expect(await outputsInOrder(world, job)).toEqual(squares(10));
  });

  test("needs none when a trusted client computes the task", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10, { verify: { quorum: 3 } });
    world.stranger(wrong, "a");
    await world.workAll();
    world.trusted();
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 10, provisional: 0 });
    expect(await outputsInOrder(world, job)).toEqual(squares(10));
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

function isSquare(input: number, output: Uint8Array): boolean {
  return Buffer.compare(encodeValue(input ** 2), output) === 0;
}

describe("[VERIFY-13] what a client is told of its results", () => {
  const counts = ({ told }: { told: Map<number, string> }): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const state of told.values()) sums[state] = (sums[state] ?? 0) + 1;
    return sums;
  };

  test("that they are provisional, and after the audits which were accepted and which checked", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30);
    const honest = world.stranger(square);
    await world.work(honest);
    expect(counts(honest)).toEqual({ delivered: 30 });
    world.trusted();
    await world.workAll();
    const { audited } = (await world.row(job)).statement;
    expect(audited).toBeGreaterThan(0);
    expect(counts(honest)).toEqual({ checked: audited, accepted: 30 - audited });
  });

  test("that they were withdrawn", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10, { verify: { quorum: 2 } });
    const cheat = world.stranger(liar(2), "a");
    await world.workAll();
    const honest = [world.stranger(square, "b"), world.stranger(square, "c")];
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished" });
    expect(counts(cheat)).toEqual({ checked: 5, withdrawn: 5 });
    expect(honest.flatMap(({ told }) => [...told.values()])).toEqual(Array(15).fill("checked"));
  });
});
