import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

const indexesOf = (h: SchedulerHarness): number[] => leasesIn(h.last).map(({ index }) => index);

describe("leases", () => {
  test("[FLOW-1] a client gets what it asked for and no more, in order of index", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    h.claim(job, [0, 1, 2, 3, 4]);
    h.join(3);
    expect(indexesOf(h)).toEqual([0, 1, 2]);
  });

  test("asks the store for tasks only once somebody could compute them, and again when the window runs low", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    expect(h.last).toEqual([]);
    h.join(1);
    h.feed({ type: "tasksAdded", job });
    // The join asked already; a claim is under way.
    expect(ofType(h.last, "claimTasks")).toEqual([]);
    h.feed({ type: "tasksClaimed", job, tasks: [], limit: 512 });
    expect(h.last).toEqual([]);
    h.feed({ type: "tasksAdded", job });
    expect(ofType(h.last, "claimTasks")).toHaveLength(1);
  });

  test("[LEASE-3] a vanished client keeps its tasks for the grace time, then they return and the attempt counts", () => {
    const h = new SchedulerHarness({ graceMs: 30_000 });
    const job = h.addJob();
    const lost = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: lost });
    h.join(1);
    h.pass(29_000);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(1500);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
  });

  test("[LEASE-3] of a vanished client's leases only as many as it has slots count as attempts", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const lost = h.join(5, { slots: 2 });
    h.claim(job, [0, 1, 2, 3, 4]);
    h.feed({ type: "clientVanished", client: lost });
    h.pass(31_000);
    const counted = ofType(h.last, "storeAttempts").flatMap(({ attempts }) =>
      attempts.map(({ index }) => index),
    );
    expect(counted).toEqual([0, 1]);
  });

  test("[LEASE-7] a run that was counted as lost and then fails after all is one attempt, not two", () => {
    const h = new SchedulerHarness({ graceMs: 30_000 });
    const job = h.addJob({ maxAttempts: 2 });
    const sleeper = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: sleeper });
    h.pass(60_000);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
    const info = {
      kind: "node",
      memoryMb: 1024,
      webgpu: false,
      trusted: true,
      cohort: sleeper,
      slots: 1,
    } as const;
    const held = [{ job, index: 0, attempt: 1 }];
    h.feed({ type: "clientConnected", client: { id: sleeper, ...info }, held, cached: [] });
    h.fail(sleeper, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
    expect(ofType(h.last, "storeAttempts")).toMatchObject([{ attempts: [{ index: 0, attempts: 1 }] }]);
    h.want(sleeper, 1);
    h.fail(sleeper, job, 0, 2);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ outcomes: [{ failure: { attempts: 2 } }] }]);
  });

  test("[LEASE-4] a goodbye returns the tasks at once and counts nothing", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const leaving = h.join(2);
    h.claim(job, [0, 1]);
    const other = h.join(2);
    h.feed({ type: "clientLeft", client: leaving });
    expect(leasesIn(h.last).map(({ client, index }) => [client, index])).toEqual([
      [other, 0],
      [other, 1],
    ]);
    expect(ofType(h.last, "storeAttempts")).toEqual([]);
  });

  test("[LEASE-3] a lease lapses although its client lives, once the kernel's timeout is long over", () => {
    const h = new SchedulerHarness({ speculate: false });
    const job = h.addJob({ timeoutMs: 1000 });
    const stuck = h.join(1);
    h.claim(job, [0]);
    h.pass(60_000);
    expect(h.last).toEqual([]);
    h.pass(2000);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: stuck, indexes: [0] }]);
    expect(ofType(h.last, "storeAttempts")).toHaveLength(1);
  });

  test("[LEASE-5] a late result of an open task is taken and its other holder is cancelled", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const late = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: late });
    const second = h.join(1);
    h.pass(31_000);
    h.join(0, { id: late });
    h.finish(late, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ outcomes: [{ state: "done", index: 0 }] }]);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: second, indexes: [0] }]);
  });

  test("[LEASE-6] after a restart a client's held leases are its own again, before and after the claim", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    h.claim(job, [0]);
    const client = h.join();
    const info = h.scheduler.client(client)!.info;
    const held = [
      { job, index: 0, attempt: 3 },
      { job, index: 7, attempt: 2 },
    ];
    h.feed({ type: "clientConnected", client: info, held, cached: [] });
    expect(ofType(h.last, "sendDropped")).toEqual([]);
    h.join(5);
    expect(leasesIn(h.last)).toEqual([]);
    h.claim(job, [7, 8]);
    expect(indexesOf(h)).toEqual([8]);
  });

  test("[LEASE-6] a held lease of a task that ended, or of a job that is gone, is dropped", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.finish(client, job, 0);
    h.stored(job, [0]);
    const gone = { job: h.addJob(), index: 0, attempt: 1 };
    h.feed({ type: "jobEnded", job: gone.job });
    const held = [{ job, index: 0, attempt: 1 }, { job, index: 1, attempt: 1 }, gone];
    h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
    expect(ofType(h.last, "sendDropped")).toEqual([{ type: "sendDropped", client, leases: [held[0], gone] }]);
  });

  test("[LEASE-6] a held lease that ended before its task was claimed is not given to the client once more", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join();
    const held = [0, 1].map((index) => ({ job, index, attempt: 1 }));
    h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
    h.fail(client, job, 0, 1);
    h.feed({ type: "leasesReleased", client, leases: [held[1]!] });
    h.claim(job, [0, 1]);
    expect(h.scheduler.client(client)!.leases.size).toBe(0);
    h.want(client, 2);
    expect(indexesOf(h)).toEqual([0, 1]);
  });

  test("no task is leased during the hold after a restart", () => {
    const h = new SchedulerHarness({ holdUntil: 5000 });
    const job = h.addJob();
    h.join(1);
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(4001);
    expect(indexesOf(h)).toEqual([0]);
  });
});

describe("results", () => {
  test("[DUR-2] a result is acknowledged with its storing, not before, and frees credit at once", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.finish(client, job, 0);
    expect(ofType(h.last, "sendAccepted")).toEqual([]);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([{ acknowledge: [{ client, index: 0 }] }]);
    expect(indexesOf(h)).toEqual([1]);
  });

  test("[ONCE-2] a result sent twice is stored as two outcomes of which the store takes one; the drop is counted", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.finish(client, job, 0);
    h.stored(job, [0]);
    h.stored(job, [], [0]);
    expect(h.scheduler.counts.droppedResults).toBe(1);
  });

  test("[DUR-2] when the store refuses, the task is open again", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.feed({ type: "outcomesRefused", job, indexes: [0] });
    expect(indexesOf(h)).toEqual([0]);
  });

  test("[ONCE-1] a copy of a result that is taken after the first was refused ends the task wherever it is by then", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.finish(client, job, 0);
    h.finish(client, job, 0);
    h.feed({ type: "outcomesRefused", job, indexes: [0] });
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    h.stored(job, [0]);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client, indexes: [0] }]);
    expect(h.scheduler.client(client)!.leases.size).toBe(0);
  });

  test("a result stored while its claim was under way does not bring the task back", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    expect(h.scheduler.state.jobs.get(job)?.claiming).toBe(true);
    h.finish(client, job, 0);
    h.claim(job, [0, 1]);
    expect(indexesOf(h)).toEqual([1]);
  });

  test("[CLAIM-2] an end that was refused of a task not claimed here gives the claim back that came meanwhile", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.finish(client, job, 7);
    h.claim(job, [7]);
    expect(leasesIn(h.last)).toEqual([]);
    h.feed({ type: "outcomesRefused", job, indexes: [7] });
    expect(h.last).toMatchObject([
      { type: "unclaimTasks", job, indexes: [7] },
      { type: "claimTasks", job },
    ]);
    h.claim(job, [7]);
    expect(indexesOf(h)).toEqual([7]);
  });

  test("results of a job that is gone are acknowledged, so that clients forget them", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "jobEnded", job });
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client, indexes: undefined }]);
    h.finish(client, job, 0);
    expect(ofType(h.last, "sendAccepted")).toMatchObject([{ indexes: [0] }]);
  });

  test("a volunteer's result for a job that asks for trusted clients is not taken", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ requires: { trusted: true } });
    const volunteer = h.join(1, { trusted: false });
    h.claim(job, [0]);
    h.finish(volunteer, job, 0);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
  });
});

describe("failures", () => {
  test("[FAIL-1] an attempt that fails is tried again, on another client when there is one, up to maxAttempts", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 3 });
    const a = h.join(1);
    const b = h.join(0);
    h.claim(job, [0]);
    h.want(b, 1);
    h.fail(a, job, 0, 1);
    expect(leasesIn(h.last)).toMatchObject([{ client: b, index: 0, attempt: 2 }]);
    h.fail(b, job, 0, 2);
    const [third] = leasesIn(h.last);
    expect(third).toMatchObject({ attempt: 3 });
    h.fail(third!.client, job, 0, 3);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      {
        outcomes: [
          {
            state: "failed",
            index: 0,
            failure: { kind: "error", message: "boom", stack: "at kernel", attempts: 3 },
          },
        ],
      },
    ]);
  });

  test("[END-3] a requeued task never repeats a lease number that a client may remember", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 1 });
    const client = h.join(1);
    h.claim(job, [0]);
    h.feed({ type: "leasesReleased", client, leases: [{ job, index: 0, attempt: 1 }] });
    h.fail(client, job, 0, 2);
    h.stored(job, [0]);
    h.feed({ type: "tasksAdded", job, again: true, requeued: true });
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 3 }]);
    h.finish(client, job, 0, 3);
    h.stored(job, [0]);
    h.feed({ type: "jobEnded", job });
    h.addJob({ id: job });
    h.claim(job, [0]);
    expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 4 }]);
  });

  test("attempts made before a restart count", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ maxAttempts: 3 });
    const client = h.join(1);
    h.claim(job, [0], { attempts: 2 });
    h.fail(client, job, 0, 3);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("[FAIL-4] a task that took down three distinct clients is quarantined although attempts are left", () => {
    const h = new SchedulerHarness({ quarantineAfter: 3 });
    const job = h.addJob({ everDone: true, maxAttempts: 50 });
    const clients = [h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const holder = clients.find((client) => (h.scheduler.client(client)?.leases.size ?? 0) > 0)!;
      h.fail(holder, job, 0, attempt, "crash");
    }
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      { outcomes: [{ failure: { kind: "quarantined", attempts: 3 } }] },
    ]);
    expect(ofType(h.last, "quarantineJob")).toEqual([]);
  });

  test("[FAIL-4] a kernel that takes down three clients and never finished a task stops as a whole", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const clients = [h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0, 1, 2, 3, 4]);
    clients.forEach((client, index) => h.fail(client, job, index, 1, "crash"));
    expect(ofType(h.last, "quarantineJob")).toMatchObject([{ job, reason: { kind: "quarantined" } }]);
  });

  test("a lab that loses its network does not quarantine the kernel", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const clients = [h.join(1), h.join(1), h.join(1), h.join(1)];
    h.claim(job, [0, 1, 2, 3]);
    for (const client of clients) h.feed({ type: "clientVanished", client });
    h.pass(31_000);
    expect(ofType(h.last, "quarantineJob")).toEqual([]);
    expect(ofType(h.last, "storeAttempts")).toHaveLength(4);
  });
});

describe("hostile clients", () => {
  test("a run time that cannot be is not believed", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1, 2]);
    h.now += 50;
    const results = [{ ...resultOf(0), elapsedMs: 1e15 }];
    h.feed({ type: "resultsReceived", client, job, results });
    expect(h.scheduler.state.jobs.get(job)!.meanMs).toBe(50);
  });

  test("a volunteer who was never given a task cannot end it; a trusted client's late result counts", () => {
    const h = new SchedulerHarness({ believeUntil: 0 });
    const job = h.addJob();
    const owner = h.join(1);
    h.claim(job, [0, 1]);
    const forger = h.join(0, { trusted: false });
    h.finish(forger, job, 0, 1);
    h.finish(forger, job, 1, 999);
    h.finish(forger, job, 10 ** 9, 1);
    expect(ofType(h.last, "storeOutcomes")).toEqual([]);
    expect(h.scheduler.state.jobs.get(job)!.everDone).toBe(false);
    expect(h.scheduler.client(owner)!.leases.size).toBe(1);
    h.finish(h.join(0), job, 1, 1);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("a volunteer who lost its lease and comes back may still deliver", () => {
    const h = new SchedulerHarness({ believeUntil: 0 });
    const job = h.addJob();
    const late = h.join(1, { trusted: false });
    h.claim(job, [0]);
    h.feed({ type: "clientVanished", client: late });
    h.pass(31_000);
    h.join(0, { id: late, trusted: false });
    h.finish(late, job, 0, 1);
    expect(ofType(h.last, "storeOutcomes")).toHaveLength(1);
  });

  test("a client's list of its leases is believed only after a restart, within bounds, and of jobs it may run", () => {
    const hello = (
      h: SchedulerHarness,
      trusted: boolean,
      count: number,
      job: ReturnType<typeof h.addJob>,
    ) => {
      const client = h.join(0, { trusted });
      const held = Array.from({ length: count }, (_, index) => ({ job, index, attempt: 1 }));
      h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
      return ofType(h.last, "sendDropped").flatMap(({ leases }) => leases).length;
    };
    const calm = new SchedulerHarness({ believeUntil: 0 });
    const known = calm.addJob();
    calm.claim(known, [0, 1, 2]);
    expect(hello(calm, false, 3, known)).toBe(3);
    const restarted = new SchedulerHarness({ believeUntil: 10_000 });
    const job = restarted.addJob();
    const guarded = restarted.addJob({ requires: { trusted: true } });
    restarted.claim(job, [...Array(3000).keys()]);
    expect(hello(restarted, false, 3000, job)).toBe(3000 - 1024);
    expect(hello(restarted, false, 3, guarded)).toBe(3);
    expect(hello(restarted, true, 3, guarded)).toBe(0);
    restarted.now = 10_001;
    restarted.feed({ type: "timePassed" });
    expect(restarted.scheduler.state.jobs.get(guarded)!.adopted.size).toBe(0);
  });

  test("[LEASE-6] coming back twice before the claim keeps the lease", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join();
    for (let i = 0; i < 2; i++) {
      const held = [{ job, index: 4, attempt: 1 }];
      h.feed({ type: "clientConnected", client: h.scheduler.client(client)!.info, held, cached: [] });
      expect(ofType(h.last, "sendDropped")).toEqual([]);
      h.feed({ type: "clientVanished", client });
    }
  });

  test("a client that failed what is in front is given what is behind, also of other jobs", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const other = h.addJob({ createdAt: 9999 });
    const failing = h.join(1);
    const busy = h.join(1);
    h.claim(job, [...Array(20).keys()]);
    h.claim(other, [0]);
    for (let i = 0; i < 16; i++) {
      const [lease] = [...h.scheduler.client(failing)!.leases];
      h.fail(failing, lease!.task.job.id, lease!.task.index, lease!.attempt);
    }
    // The other client stays busy with one task, so no opinion of it is waited for.
    expect(h.scheduler.client(busy)!.leases.size).toBe(1);
    expect(h.scheduler.client(failing)!.leases.size).toBe(1);
  });

  test("a customer with an empty job gathers no credit while others work", () => {
    const h = new SchedulerHarness();
    const idle = h.addJob({ customer: "alice", createdAt: 1 });
    const busy = h.addJob({ customer: "bob", createdAt: 2 });
    h.claim(busy, [...Array(100).keys()]);
    const client = h.join(1);
    const turn = (): string => {
      const [lease] = [...h.scheduler.client(client)!.leases];
      const { job, index } = lease!.task;
      h.now += 1000;
      h.feed({
        type: "resultsReceived",
        client,
        job: job.id,
        results: [{ ...resultOf(index), attempt: lease!.attempt }],
      });
      h.stored(job.id, [index]);
      return job.info.customer;
    };
    for (let i = 0; i < 20; i++) turn();
    h.feed({ type: "tasksAdded", job: idle });
    h.claim(idle, [...Array(100).keys()]);
    const turns = Array.from({ length: 20 }, turn);
    expect(turns.filter((customer) => customer === "bob").length).toBeGreaterThanOrEqual(8);
  });

  test("windows of large inputs are small from the start", () => {
    const h = new SchedulerHarness();
    for (let i = 0; i < 4; i++) h.addJob();
    h.join(0);
    const limits = [...h.scheduler.state.jobs.values()].map(({ inputBytes }) => inputBytes);
    expect(limits.every((bytes) => bytes === 256 * 1024)).toBe(true);
    const claims = ofType(h.last, "claimTasks").map(({ limit }) => limit);
    expect(claims).toHaveLength(4);
    expect(Math.max(...claims) * 256 * 1024 * 4).toBeLessThanOrEqual(40 * 1024 * 1024);
  });
});

describe("order", () => {
  test("[FLOW-3] priority first, then the customer that was served least, then the older job", () => {
    const h = new SchedulerHarness();
    const old = h.addJob({ createdAt: 1, customer: "ada" });
    const young = h.addJob({ createdAt: 2, customer: "ada" });
    const urgent = h.addJob({ createdAt: 3, customer: "ada", priority: 5 });
    for (const job of [old, young, urgent]) h.claim(job, [0]);
    const client = h.join(3);
    const order = leasesIn(h.last)
      .filter((lease) => lease.client === client)
      .map(({ job }) => job);
    expect(order).toEqual([urgent, old, young]);
  });

  test("two customers with equal tasks share a client evenly although one came first with much more", () => {
    const h = new SchedulerHarness();
    const big = h.addJob({ customer: "ada", createdAt: 1 });
    const small = h.addJob({ customer: "bob", createdAt: 2 });
    h.claim(big, [...Array(100).keys()]);
    h.claim(small, [...Array(100).keys()]);
    const client = h.join(1);
    const got = { [big]: 0, [small]: 0 };
    for (let round = 0; round < 40; round++) {
      const held = [...h.scheduler.client(client)!.leases][0]!;
      const { id } = held.task.job;
      got[id]! += 1;
      const { index } = held.task;
      h.feed({ type: "resultsReceived", client, job: id, results: [{ ...resultOf(index), elapsedMs: 100 }] });
      h.stored(id, [index]);
    }
    expect(Math.abs(got[big]! - got[small]!)).toBeLessThanOrEqual(2);
  });

  test("among the next few tasks a client gets the one whose data it has", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const blob = (n: number) => ({ sha256: sha256Hex(new Uint8Array([n])), size: 1000 });
    const client = h.join();
    h.feed({ type: "cacheChanged", client, added: [blob(2).sha256], removed: [] });
    const tasks = [0, 1, 2].map((index) => ({
      index,
      input: new Uint8Array(1),
      refs: [blob(index)],
      attempts: 0,
      checkpoint: undefined,
    }));
    h.feed({ type: "tasksClaimed", job, tasks, limit: 1000 });
    h.want(client, 1);
    expect(indexesOf(h)).toEqual([2]);
  });

  test("[SIGN-2] a client that trusts certain signers is given their jobs only", () => {
    const h = new SchedulerHarness();
    const [ada, eve] = ["a".repeat(43), "e".repeat(43)];
    const [unsigned, ofEve, ofAda] = [undefined, eve, ada].map((key) =>
      h.addJob({ ...(key && { signature: { key, name: "signer", value: "v".repeat(86) } }) }),
    ) as [JobId, JobId, JobId];
    for (const job of [unsigned, ofEve, ofAda]) h.claim(job, [0]);
    const careful = h.join(10, { trusts: [ada] });
    expect(leasesIn(h.last)).toMatchObject([{ client: careful, job: ofAda }]);
    h.join(10, { trusts: [] });
    expect(leasesIn(h.last)).toEqual([]);
    h.join(10);
    expect(
      leasesIn(h.last)
        .map(({ job }) => job)
        .sort(),
    ).toEqual([unsigned, ofEve].sort());
  });

  test("requirements are kept: kind, memory, WebGPU, trust", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ requires: { kind: "browser", memoryMb: 2048, webgpu: true, trusted: true } });
    h.claim(job, [0]);
    const fit = { kind: "browser", memoryMb: 4096, webgpu: true, trusted: true } as const;
    for (const unfit of [
      { kind: "node" },
      { memoryMb: 1024 },
      { webgpu: false },
      { trusted: false },
    ] as const) {
      h.join(1, { ...fit, ...unfit });
      expect(leasesIn(h.last)).toEqual([]);
    }
    h.join(1, fit);
    expect(indexesOf(h)).toEqual([0]);
  });

  describe("a job that no idle client may run", () => {
    const large = { memoryMb: 4096 };

    test("is not offered to them again with each task of another job, and goes to the first that may", () => {
      const h = new SchedulerHarness();
      const unmet = h.addJob({ requires: large });
      const other = h.addJob();
      const idle = [h.join(1), h.join(1), h.join(1)];
      h.claim(unmet, [0]);
      expect([...h.scheduler.state.unmet].map(({ id }) => id)).toEqual([unmet]);
      // The remembered job costs no look at the idle clients: only the first of them is served.
      let asked = 0;
      for (const id of idle) {
        const client = h.scheduler.client(id)! as { info: object };
        client.info = new Proxy(client.info, {
          get: (info, name) => {
            if (name === "memoryMb") asked++;
            return Reflect.get(info, name) as unknown;
          },
        });
      }
      h.scheduler.handle({ type: "tasksAdded", job: other }, h.now);
      const tasks = [{ index: 0, input: new Uint8Array(), refs: [], attempts: 0, checkpoint: undefined }];
      const given = h.scheduler.handle({ type: "tasksClaimed", job: other, tasks, limit: 1000 }, h.now);
      expect(leasesIn(given).map(({ client }) => client)).toEqual([idle[0]]);
      expect(asked).toBe(0);
      const fit = h.join(1, large);
      expect(leasesIn(h.last).map(({ client }) => client)).toEqual([fit]);
    });

    test("goes to one that may and was busy, when it has room again", () => {
      const h = new SchedulerHarness();
      const first = h.addJob();
      const fit = h.join(1, large);
      h.claim(first, [0]);
      h.join(1);
      const unmet = h.addJob({ requires: large });
      h.claim(unmet, [0, 1]);
      expect(h.scheduler.state.unmet.size).toBe(1);
      h.finish(fit, first, 0);
      expect(leasesIn(h.last)).toMatchObject([{ client: fit, index: 0 }]);
      expect(h.scheduler.state.unmet.size).toBe(0);
    });

    test("is forgotten when it ends", () => {
      const h = new SchedulerHarness();
      const unmet = h.addJob({ requires: large });
      h.join(1);
      h.claim(unmet, [0]);
      h.feed({ type: "jobEnded", job: unmet });
      expect(h.scheduler.state.unmet.size).toBe(0);
    });
  });

  test("the last tasks of a job are shared out instead of piling up at the first client that asks", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [a, b] = [h.join(0), h.join(0)];
    h.want(a, 100);
    h.want(b, 100);
    h.claim(job, [0, 1, 2, 3, 4, 5]);
    expect(h.scheduler.client(a)!.leases.size).toBe(3);
    expect(h.scheduler.client(b)!.leases.size).toBe(3);
  });

  test("a paused job is not leased until it is resumed; what runs goes on", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.feed({ type: "jobChanged", job, paused: true });
    h.finish(client, job, 0);
    expect(leasesIn(h.last)).toEqual([]);
    h.feed({ type: "jobChanged", job, paused: false });
    expect(indexesOf(h)).toEqual([1]);
  });
});

describe("backup tasks", () => {
  test("[LEASE-1] the last slow task gets a second lease on an idle client; the first result wins and the other is cancelled", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const slow = h.join(1);
    h.claim(job, [0, 1]);
    const fast = h.join(1);
    h.finish(fast, job, 1);
    h.stored(job, [1]);
    h.pass(500);
    expect(leasesIn(h.last)).toEqual([]);
    h.pass(1000);
    expect(leasesIn(h.last)).toMatchObject([{ client: fast, index: 0, attempt: 2 }]);
    h.finish(fast, job, 0, 2);
    expect(ofType(h.last, "sendCancel")).toMatchObject([{ client: slow, indexes: [0] }]);
  });

  test("[MILES-5] tasks that a silent client holds get them a second's work at a time", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const indexes = Array.from({ length: 501 }, (_, index) => index);
    const silent = h.join(500, { slots: 2 });
    h.claim(job, indexes);
    const idle = h.join(1000, { slots: 2 });
    h.finish(idle, job, 500);
    h.stored(job, [500]);
    expect(h.scheduler.client(silent)!.leases.size).toBe(500);
    h.pass(2000);
    const meanMs = h.scheduler.state.jobs.get(job)!.meanMs!;
    const backups = leasesIn(h.last);
    expect(backups.every(({ client }) => client === idle)).toBe(true);
    expect(backups).toHaveLength(Math.min(500, Math.ceil(2000 / meanMs)));
  });

  test("none while other tasks wait, none when it is turned off, never a third", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [a, b] = [h.join(1), h.join(1)];
    h.claim(job, [0, 1]);
    h.finish(a, job, 0);
    h.stored(job, [0]);
    h.pass(5000);
    expect(leasesIn(h.last)).toHaveLength(1);
    h.join(1);
    h.pass(5000);
    expect(leasesIn(h.last)).toEqual([]);
    expect(h.scheduler.client(b)!.leases.size).toBe(1);
  });

  test("none of a job that is paused, that has more to claim, or of a task that went wrong before", () => {
    const h = new SchedulerHarness();
    const slow = (change: (job: JobId, client: ClientId) => void): void => {
      const job = h.addJob();
      const [client, idle] = [h.join(1), h.join(1)];
      h.claim(job, [0, 1]);
      h.finish(idle, job, 1);
      h.stored(job, [1]);
      change(job, client);
      h.pass(10_000);
      expect(leasesIn(h.last)).toEqual([]);
      h.feed({ type: "jobEnded", job });
      for (const gone of [client, idle]) h.feed({ type: "clientLeft", client: gone });
    };
    slow((job) => h.feed({ type: "jobChanged", job, paused: true }));
    slow((job) => h.feed({ type: "tasksAdded", job }));
    slow((job, client) => {
      h.fail(client, job, 0, 1);
      expect(leasesIn(h.last)).toMatchObject([{ index: 0, attempt: 2 }]);
    });
  });
});

function resultOf(index: number): {
  index: number;
  attempt: number;
  elapsedMs: number;
  outcome: { state: "done"; output: Uint8Array };
} {
  return { index, attempt: 1, elapsedMs: 1, outcome: { state: "done", output: new Uint8Array([1]) } };
}
