import { describe, expect, test } from "vitest";
import type { Sha256, TaskIndex } from "../../../shared/ids.ts";
import { limits } from "../../../shared/limits.ts";
import { decodeValue, encodeValue, type Value } from "../../../shared/wire/codec.ts";
import type { Verify } from "../../../shared/wire/rest/verification.ts";
import { VerificationWorld, type WorldClient } from "../../support/verification-world.ts";

const square = (input: Value): number => (input as number) ** 2;
const wrong = (input: Value): number => square(input) + 1;

type JobId = Parameters<VerificationWorld["row"]>[0];

/** Counts the accepted outputs. */
async function accepted(world: VerificationWorld, job: JobId): Promise<{ right: number; wrong: number }> {
  const count = { right: 0, wrong: 0 };
  for (const row of await world.store.results(job, 0, 1000, 1e9)) {
    const isRight =
      row.state === "done" && row.output instanceof Uint8Array && decodeValue(row.output) === row.index ** 2;
    count[isRight ? "right" : "wrong"] += 1;
  }
  return count;
}

/** Sends results that no lease asks for. */
function deliver(
  world: VerificationWorld,
  { id }: WorldClient,
  job: JobId,
  indexes: readonly TaskIndex[],
  { attempt = 1, compute = square }: { attempt?: number; compute?: (index: number) => Value } = {},
): void {
  const results = indexes.map((index) => ({
    index,
    attempt,
    elapsedMs: 10,
    outcome: { state: "done" as const, output: encodeValue(compute(index)) },
  }));
  world.feed({ type: "resultsReceived", client: id, job, results });
}

function upTo(count: number): TaskIndex[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Lets a client hold nothing more and ask for nothing. */
function rest(world: VerificationWorld, { id }: WorldClient): void {
  world.feed({ type: "clientWanted", client: id, tasks: 0, slots: 1 });
}

/** Changes how a job is verified, as its customer does. */
async function change(world: VerificationWorld, job: JobId, verify: Verify): Promise<void> {
  const requires = verify === "trusted" ? { trusted: true } : {};
  const stored = world.store.setVerify(job, { verify, compare: "bits" });
  world.feed({ type: "jobChanged", job, verification: { verify, compare: "bits", requires } });
  await stored;
}

describe("[VERIFY-3] a window is judged in the end", () => {
  test("although a trusted client delivers a task late whose audit waits", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(2);
    await world.work(world.stranger(square));
    world.trusted();
    await world.settle();
    deliver(world, world.trusted(), job, [0], { attempt: 9 });
    await world.settle();
    await world.workAll();
    await world.pass(1000);
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 2, provisional: 0 });
  });

  test("although a window with another result of an audited task is accepted", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(40);
    const first = world.stranger(square, "a");
    const second = world.stranger(square, "b");
    rest(world, second);
    await world.work(first);
    // Soon after a restart, clients are believed to have held tasks.
    deliver(world, second, job, upTo(20));
    const slow = world.trusted();
    rest(world, slow);
    expect(slow.held).toHaveLength(5);
    world.leave(second.id);
    await world.work(world.trusted());
    await world.workAll();
    await world.pass(1000);
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 40, provisional: 0 });
  });
});

describe("[VERIFY-3] an audit", () => {
  test("is not ended by a stranger that sends the same result again", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(60);
    const cheat = world.stranger(wrong, "a");
    const accomplice = world.stranger(wrong, "b");
    rest(world, accomplice);
    await world.work(cheat);
    deliver(world, accomplice, job, upTo(60), { compute: wrong });
    await world.settle();
    world.trusted();
    await world.workAll();
    await world.pass(1000);
    await world.workAll();
    expect(cheat.refused).toBeDefined();
    expect(await world.row(job)).toMatchObject({ state: "finished", provisional: 0 });
    expect(await accepted(world, job)).toEqual({ right: 60, wrong: 0 });
  });
});

describe("[VERIFY-7] a result that cannot be compared", () => {
  test("because the kernel's compare throws at it is wrong", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40, { compare: "kernel" });
    const cheat = world.stranger(wrong);
    await world.work(cheat);
    world.trusted((input, task) =>
      task.call?.name === "compare" ? new Error("it has no energy") : square(input),
    );
    await world.workAll();
    expect(cheat.refused).toBeDefined();
    expect(await accepted(world, job)).toEqual({ right: 40, wrong: 0 });
  });

  test("because it takes compare too long has its window audited in full", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40, { compare: "kernel" });
    await world.work(world.stranger(wrong));
    world.trusted((input, task) =>
      task.call?.name === "compare" ? new Error("too long", { cause: "timeout" }) : square(input),
    );
    await world.workAll();
    expect(await accepted(world, job)).toEqual({ right: 40, wrong: 0 });
  });

  test("because it is a blob has its window audited in full", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40, { compare: "kernel" });
    await world.work(world.stranger(() => ({ blob: { sha256: "a".repeat(64) as Sha256, size: 100 } })));
    world.trusted();
    await world.workAll();
    expect(await accepted(world, job)).toEqual({ right: 40, wrong: 0 });
  });

  test("holds up no job of browsers", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(1, { compare: "kernel" });
    const strangers = ["a", "b"].map((cohort, at) =>
      world.stranger((input) => (input as number) + at / 8, cohort),
    );
    await world.workAll();
    expect(strangers.map(({ answered }) => answered)).toEqual([1, 1]);
    expect(await world.row(job)).toMatchObject({
      state: "finished",
      statement: { unverified: 1, withdrawn: 0 },
    });
  });
});

describe("[VERIFY-9] a wrong result that continued somebody else's checkpoint", () => {
  test("has the other results of its window audited, too", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const cheat = world.stranger(square);
    // A clean window, so that the results that follow are not audited in full with those of newcomers.
    await world.job(40);
    await world.work(cheat);
    const node = world.trusted();
    await world.workAll();
    world.leave(node.id);
    cheat.compute = wrong;
    rest(world, cheat);
    const job = await world.job(40);
    // Identities of one person each leave a checkpoint, which the last of them continues.
    for (let index = 0; index < 40; index += 4) {
      const sacrificed = world.stranger(wrong);
      await world.settle();
      for (const { task } of sacrificed.held)
        world.feed({
          type: "checkpointReceived",
          client: sacrificed.id,
          lease: { job, index: task.index, attempt: task.attempt },
          state: encodeValue(7),
        });
      rest(world, sacrificed);
      world.leave(sacrificed.id);
      world.feed({ type: "clientWanted", client: cheat.id, tasks: 4, slots: 4 });
      await world.work(cheat, 4);
      rest(world, cheat);
    }
    world.feed({ type: "clientWanted", client: cheat.id, tasks: 4, slots: 4 });
    await world.work(cheat);
    world.trusted();
    await world.workAll();
    await world.pass(1000);
    await world.workAll();
    expect(await accepted(world, job)).toEqual({ right: 40, wrong: 0 });
  });
});

describe("[VERIFY-6] a result that a trusted client contradicted", () => {
  test("is not accepted when that client leaves before the second audit", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(1);
    const cheat = world.stranger(wrong, "a");
    await world.settle();
    const node = world.trusted();
    await world.work(cheat);
    expect(node.held).toHaveLength(1);
    rest(world, node);
    for (const { task } of node.held.splice(0))
      deliver(world, node, job, [task.index], { attempt: task.attempt });
    await world.settle();
    world.leave(node.id);
    world.stranger(wrong, "b");
    await world.workAll();
    await world.pass(31 * 60_000);
    await world.workAll();
    expect(await accepted(world, job)).toEqual({ right: 1, wrong: 0 });
  });
});

describe("a job whose customer's quota is full", () => {
  test("[VERIFY-6] has its provisional results audited, and what strangers filled it with is withdrawn", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(60);
    const cheat = world.stranger(wrong);
    await world.work(cheat, 40);
    world.leave(cheat.id);
    world.feed({ type: "quotaChanged", customer: "ada", full: true });
    const node = world.trusted();
    await world.workAll();
    expect(await world.row(job)).toMatchObject({
      provisional: 0,
      outputBytes: 0,
      done: 0,
      statement: { wrong: 1 },
    });
    world.feed({ type: "quotaChanged", customer: "ada", full: false });
    await world.work(node);
    expect(await accepted(world, job)).toEqual({ right: 60, wrong: 0 });
  });
});

describe("a paused job", () => {
  test("[VERIFY-6] waits with its audits", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10);
    const stranger = world.stranger(square, "a");
    const other = world.stranger(square, "b");
    rest(world, other);
    world.feed({ type: "clientWanted", client: other.id, tasks: 1, slots: 1 });
    await world.settle();
    world.feed({
      type: "leasesReleased",
      client: other.id,
      leases: other.held.splice(0).map(({ task }) => ({ job, ...task })),
    });
    await world.work(stranger);
    world.feed({ type: "jobChanged", job, paused: true });
    await world.pass(31 * 60_000);
    world.feed({ type: "jobChanged", job, paused: false });
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", statement: { unverified: 0 } });
  });
});

describe("[VERIFY-1] a quorum", () => {
  test("is found although an opinion comes while its task is claimed after a restart", async () => {
    const world = await VerificationWorld.open({ believeUntil: 1e9 });
    const job = await world.job(5, { verify: { quorum: 2 } });
    await world.start();
    const first = world.stranger(square, "a");
    deliver(world, first, job, [0]);
    await world.workAll();
    world.stranger(square, "b");
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 5 });
  });
});

describe("a customer that changes how a job is verified", () => {
  test("[VERIFY-1] from a quorum to audits loses no task whose opinion is on its way to disk", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(4, { verify: { quorum: 2 } });
    const stranger = world.stranger(square, "a");
    await world.settle();
    const held = stranger.held.splice(0);
    deliver(
      world,
      stranger,
      job,
      held.map(({ task }) => task.index),
    );
    await change(world, job, "audit");
    await world.workAll();
    await world.pass(1000);
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 4, provisional: 0 });
  });

  test("[VERIFY-1] from audits to a quorum has provisional tasks computed again", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(40);
    await world.work(world.stranger(square, "a"), 20);
    await change(world, job, { quorum: 2 });
    world.stranger(square, "b");
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 40, statement: { strangers: 40 } });
  });

  test("[VERIFY-1] to trusted clients takes the job's tasks from strangers", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(4, { maxAttempts: 1 });
    const stranger = world.stranger(square);
    await world.settle();
    expect(stranger.held).toHaveLength(4);
    await change(world, job, "trusted");
    expect(stranger.held).toHaveLength(0);
    await world.work(world.trusted());
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 4 });
  });
});

describe("[VERIFY-8] a check that rejects right results", () => {
  test("gets the kernel doubted after three cohorts, and bans are lifted", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(60, { check: true });
    const strangers = ["a", "b", "c"].map((cohort) => world.stranger(square, cohort));
    for (const stranger of strangers) await world.work(stranger, 20);
    world.trusted((input, task) => (task.call ? { correct: false, suspicious: false } : square(input)));
    await world.workAll();
    expect(world.pardoned).toHaveLength(2);
    expect(await world.row(job)).toMatchObject({ state: "finished", statement: { irreproducible: true } });
  });
});

describe("[VERIFY-4] a cohort with a client that was found wrong", () => {
  test("has newcomers that come later audited in full", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const first = await world.job(20);
    await world.work(world.stranger(wrong));
    const node = world.trusted();
    await world.workAll();
    expect(await accepted(world, first)).toEqual({ right: 20, wrong: 0 });
    world.leave(node.id);
    const second = await world.job(40);
    await world.work(world.stranger(square));
    world.trusted();
    await world.workAll();
    expect((await world.row(second)).statement).toMatchObject({ strangers: 40, audited: 40 });
  });

  test("has every window of that client withdrawn, also of other jobs", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const cheat = world.stranger(square);
    const first = await world.job(40);
    await world.work(cheat, 20);
    cheat.compute = wrong;
    const second = await world.job(20, { priority: 1 });
    await world.work(cheat, 36);
    world.trusted();
    await world.workAll();
    expect(cheat.refused).toBeDefined();
    expect((await world.row(first)).statement.strangers).toBe(0);
    expect((await world.row(second)).statement.strangers).toBe(0);
  });
});

describe("[VERIFY-8] the value of a call of the kernel module", () => {
  test("is no output of its task", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(1);
    const node = world.trusted();
    await world.settle();
    deliver(world, node, job, [0], { attempt: limits.firstCallAttempt, compute: wrong });
    await world.work(node);
    expect(await accepted(world, job)).toEqual({ right: 1, wrong: 0 });
  });
});

describe("[VERIFY-6] an audit that takes trusted clients down", () => {
  test("is given up after three of them", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(2);
    await world.work(world.stranger(square));
    for (let time = 0; time < 3; time++) {
      const node = world.trusted();
      await world.settle();
      expect(node.held).toHaveLength(2);
      world.feed({ type: "clientVanished", client: node.id });
      await world.pass(31_000);
    }
    expect(await world.row(job)).toMatchObject({ state: "finished", statement: { unverified: 2 } });
  });
});

describe("[VERIFY-6] an audit after a restart", () => {
  test("is no lease that the author of the result can claim", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(10);
    const { id } = world.stranger(wrong);
    await world.workAll();
    await world.start();
    await world.settle();
    const cheat = world.join(wrong, { id });
    const held = upTo(10).map((index) => ({ job, index, attempt: 1 }));
    const { info } = world.dispatcher.scheduler.client(id)!;
    world.feed({ type: "clientConnected", client: info, held, cached: [] });
    deliver(world, cheat, job, upTo(10), { compute: wrong });
    await world.settle();
    world.trusted();
    await world.workAll();
    expect(await accepted(world, job)).toEqual({ right: 10, wrong: 0 });
  });
});

describe("[FLOW-2] audits that wait for slow auditors", () => {
  /** Lets a trusted client do all audits, hundreds in a message. */
  async function auditAll(world: VerificationWorld, job: JobId, output: (index: number) => Value) {
    const node = world.trusted();
    world.feed({ type: "clientWanted", client: node.id, tasks: 512, slots: 512 });
    for (await world.settle(); node.held.length > 0; await world.settle()) {
      const results = node.held.splice(0).map(({ task: { index, attempt, call } }) => ({
        index,
        attempt,
        elapsedMs: 10,
        outcome: {
          state: "done" as const,
          output: encodeValue(call ? { correct: true, suspicious: false } : output(index)),
        },
      }));
      world.feed({ type: "resultsReceived", client: node.id, job, results });
    }
    await world.pass(1000);
  }

  test("are bounded in count, and go on when audits end", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(4500, { check: true });
    const stranger = world.stranger(square);
    rest(world, stranger);
    deliver(world, stranger, job, upTo(4500));
    expect(await mostAudits(world, job)).toBe(4096);
    await auditAll(world, job, square);
    expect(await world.row(job)).toMatchObject({ state: "finished", statement: { checked: 4500 } });
  });

  test("are bounded in bytes, those of outputs included", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(400, { check: true });
    const stranger = world.stranger(square);
    rest(world, stranger);
    const output = new Uint8Array(250_000);
    deliver(world, stranger, job, upTo(400), { compute: () => output });
    const audits = await mostAudits(world, job);
    expect(audits).toBeGreaterThan(100);
    expect(audits * output.length).toBeLessThan(limits.inlineValueBytes * 130);
    await auditAll(world, job, () => output);
    expect(await world.row(job)).toMatchObject({ state: "finished", statement: { checked: 400 } });
  });

  test("are forgotten with their window", async () => {
    const world = await VerificationWorld.open({ auditors: true, believeUntil: 1e9 });
    const job = await world.job(300, { check: true });
    const stranger = world.stranger(square);
    rest(world, stranger);
    deliver(world, stranger, job, upTo(300), { compute: () => new Uint8Array(250_000) });
    await mostAudits(world, job);
    await change(world, job, "trusted");
    await world.settle();
    const { unread, reading, audits } = world.dispatcher.scheduler.state.jobs.get(job)!;
    expect([unread.size, reading, audits.size]).toEqual([0, 0, 0]);
  });
});

/** The number of audits in memory when no more of them are read. */
async function mostAudits(world: VerificationWorld, job: JobId): Promise<number> {
  const { audits } = world.dispatcher.scheduler.state.jobs.get(job)!;
  for (let before = -1; before < audits.size;) {
    before = audits.size;
    await world.settle();
  }
  return audits.size;
}
