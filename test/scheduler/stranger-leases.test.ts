import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { ofType } from "../support/scheduler-harness.ts";
import { SchedulerLab } from "../support/scheduler-lab.ts";

test("[CREDIT-1] a stranger that lost credit asks for nothing beyond it", () => {
  const lab = new SchedulerLab();
  lab.job(2);
  const silent = lab.stranger();
  lab.want(silent, 4, 4);
  const client = lab.scheduler.state.clients.get(silent)!;
  expect([lab.held(silent).length, lab.scheduler.state.hungry.has(client)]).toEqual([2, true]);
  // After such a silence the stranger's credit is halved, to the two tasks that it holds.
  lab.pass(61_000);
  expect([lab.held(silent).length, lab.scheduler.state.hungry.has(client)]).toEqual([2, false]);
});

describe("[CREDIT-1] leases of a stranger", () => {
  /** Has a client ask for tasks without bound and deliver their results. @returns the number of results */
  function round(lab: SchedulerLab, client: ClientId, elapsedMs: number): number {
    lab.want(client, 16_384, 4);
    const held = lab.held(client);
    lab.want(client, 0);
    lab.now += elapsedMs;
    for (const { job, index, attempt } of held)
      lab.feed({
        type: "resultsReceived",
        client,
        job,
        results: [{ index, attempt, elapsedMs, outcome: { state: "done", output: new Uint8Array([index]) } }],
      });
    return held.length;
  }

  test("is about 4 tasks at first, and twice as much with each round that it delivers", () => {
    const lab = new SchedulerLab();
    lab.job(3000);
    const client = lab.stranger();
    const rounds = [1, 2, 3, 4, 5, 6].map(() => round(lab, client, 60_000));
    expect(rounds).toEqual([4, 8, 16, 32, 64, 128]);
  });

  test("is a second of work of tiny tasks, once it is known how tiny they are", () => {
    const lab = new SchedulerLab();
    lab.job(4000);
    const client = lab.stranger();
    expect(round(lab, client, 0.1)).toBe(4);
    expect(round(lab, client, 0.1)).toBeGreaterThan(3000);
  });

  test("is what it asks for, of a trusted client", () => {
    const lab = new SchedulerLab();
    lab.job(3000);
    expect(round(lab, lab.join(0), 60_000)).toBe(3000);
  });

  test("is half as much for each lease that it lets lapse, and at least one task", () => {
    const lab = new SchedulerLab();
    lab.job(3000);
    const client = lab.stranger();
    for (let n = 0; n < 4; n++) round(lab, client, 1000);
    lab.want(client, 16_384, 4);
    expect(lab.held(client).length).toBe(64);
    lab.feed({ type: "clientVanished", client });
    lab.pass(30_000);
    const again = lab.join(0, { id: client, trusted: false, cohort: "lab" });
    lab.want(again, 16_384, 4);
    expect(lab.held(client).length).toBe(4);
  });
});

describe("[CREDIT-2] the newcomers of a cohort", () => {
  function hoard(lab: SchedulerLab, count: number): () => number {
    const hoard = Array.from({ length: count }, () => {
      const client = lab.stranger("10.1.1.0/24");
      lab.want(client, 16_384);
      return client;
    });
    return () => hoard.reduce((held, client) => held + lab.held(client).length, 0);
  }

  test("hold half of a job at most while others are there, however many they are", () => {
    const lab = new SchedulerLab();
    lab.job(300);
    const honest = lab.stranger("elsewhere");
    const sum = hoard(lab, 200);
    expect(sum()).toBe(150);
    let done = 0;
    for (lab.want(honest, 4); lab.held(honest).length > 0; lab.want(honest, 4))
      for (const { job, index, attempt } of lab.held(honest)) {
        lab.finish(honest, job, index, attempt);
        done += 1;
      }
    expect(done).toBe(150);
  });

  test("hold all of it when nobody else is there, and make room when they deliver", () => {
    const lab = new SchedulerLab();
    lab.job(300);
    expect(hoard(lab, 200)()).toBe(300);
  });

  test("share what they took when nobody was there with whoever comes, after a second", () => {
    const lab = new SchedulerLab();
    const job = lab.job(20);
    hoard(lab, 20);
    const [sibling, honest] = [lab.stranger("10.1.1.0/24"), lab.stranger("elsewhere")];
    for (const client of [sibling, honest]) lab.want(client, 4, 4);
    expect(lab.held(honest)).toEqual([]);
    lab.pass(1000);
    expect([lab.held(sibling).length, lab.held(honest).length]).toEqual([0, 4]);
    for (const { index, attempt } of lab.held(honest)) lab.finish(honest, job, index, attempt);
    expect(ofType(lab.all, "storeOutcomes")).toHaveLength(4);
  });

  test("hold for themselves once they have delivered", () => {
    const lab = new SchedulerLab();
    const job = lab.job(100);
    lab.join(1, { trusted: true, kind: "browser" });
    const worker = lab.stranger();
    lab.want(worker, 100);
    for (let n = 0; n < 8; n++)
      for (const { index, attempt } of lab.held(worker)) lab.finish(worker, job, index, attempt);
    expect(lab.scheduler.client(worker)!.delivered).toBeGreaterThan(16);
    expect(lab.scheduler.state.cohorts.get("lab")).toMatchObject({ members: 1, newcomersHold: 0 });
  });

  test("are counted where they are now when they move to another network", () => {
    const lab = new SchedulerLab();
    const client = lab.stranger("a");
    lab.join(0, { id: client, trusted: false, cohort: "b" });
    expect([...lab.scheduler.state.cohorts]).toEqual([["b", { members: 1, newcomersHold: 0 }]]);
    lab.feed({ type: "clientLeft", client });
    expect(lab.scheduler.state.cohorts.size).toBe(0);
  });
});

describe("[CREDIT-3] a task whose stranger is silent", () => {
  /** A job whose tasks take 1 s, and a stranger that holds one. */
  function silent(): { lab: SchedulerLab; job: JobId; client: ClientId; other: ClientId; node: ClientId } {
    const lab = new SchedulerLab({ speculate: false });
    const job = lab.job(2);
    const node = lab.join(1);
    const [{ attempt }] = lab.held(node) as unknown as [{ attempt: number }];
    lab.now += 1000;
    const result = { index: 0, attempt, elapsedMs: 1000 };
    const outcome = { state: "done" as const, output: new Uint8Array([1]) };
    lab.want(node, 0);
    lab.feed({ type: "resultsReceived", client: node, job, results: [{ ...result, outcome }] });
    const [client, other] = [lab.stranger("a"), lab.stranger("b")];
    lab.want(client, 1);
    expect(lab.held(client)).toHaveLength(1);
    return { lab, job, client, other, node };
  }

  test("goes to another cohort as well after three times its usual time; the first result wins", () => {
    const { lab, job, client, other } = silent();
    const sibling = lab.stranger("a");
    lab.want(sibling, 1);
    lab.want(other, 1);
    lab.pass(2900);
    expect([lab.held(other), lab.held(sibling)]).toEqual([[], []]);
    lab.pass(200);
    expect(lab.held(other)).toMatchObject([{ index: 1, attempt: 2 }]);
    expect(lab.held(sibling)).toEqual([]);
    expect(lab.held(client)).toHaveLength(1);
    lab.finish(client, job, 1, 1);
    expect(ofType(lab.last, "sendCancel")).toMatchObject([{ client: other, indexes: [1] }]);
    expect(ofType(lab.all, "storeAttempts")).toEqual([]);
  });

  test("stays with it while its kernel gets on, and not while it tells the same again", () => {
    const { lab, job, client, other } = silent();
    lab.want(other, 1);
    const tell = (fraction: number): void =>
      void lab.feed({ type: "progressReceived", client, lease: { job, index: 1, attempt: 1 }, fraction });
    for (let n = 1; n <= 9; n++) {
      tell(n / 10);
      lab.pass(2900);
    }
    expect(lab.held(other)).toEqual([]);
    tell(0.9);
    lab.pass(200);
    expect(lab.held(other)).toHaveLength(1);
  });

  test("is given up by the first of two that are silent, who may still deliver", () => {
    const { lab, job, client, other, node } = silent();
    lab.want(other, 1);
    lab.pass(3100);
    lab.pass(3100);
    expect(lab.held(client)).toHaveLength(1);
    // The patience with silent clients doubles, so that a client can finish a task that takes long.
    lab.pass(3100);
    expect(lab.held(client)).toEqual([]);
    lab.want(node, 1);
    expect(lab.held(node)).toMatchObject([{ index: 1, attempt: 3 }]);
    lab.finish(client, job, 1, 1);
    expect(ofType(lab.last, "storeOutcomes")).toHaveLength(1);
  });

  test("of a trusted client stays its own", () => {
    const lab = new SchedulerLab({ speculate: false });
    lab.job(1);
    lab.join(1);
    const other = lab.stranger();
    lab.want(other, 1);
    lab.pass(100_000);
    expect(lab.held(other)).toEqual([]);
  });
});
