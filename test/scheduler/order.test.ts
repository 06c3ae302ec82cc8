import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import type { JobId } from "../../shared/ids.ts";
import { done, indexesOf, leasesIn, SchedulerHarness } from "../support/scheduler-harness.ts";

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
      h.feed({ type: "resultsReceived", client, job: id, results: [{ ...done(index), elapsedMs: 100 }] });
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

  test("[COMMAND-2] a command is for trusted clients that allow it, whatever a stranger announces", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ requires: { command: "sort" } });
    h.claim(job, [0]);
    for (const unfit of [{}, { commands: ["cat"] }, { commands: ["sort"], trusted: false }]) {
      h.join(1, unfit);
      expect(leasesIn(h.last)).toEqual([]);
    }
    h.join(1, { commands: ["cat", "sort"] });
    expect(indexesOf(h)).toEqual([0]);
  });

  test("[GPU-2] a client that found WebGPU later gets tasks that need it, until it has it no more", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ requires: { webgpu: true } });
    h.claim(job, [0, 1]);
    const client = h.join(1, { webgpu: false });
    expect(leasesIn(h.last)).toEqual([]);
    h.feed({ type: "clientWanted", client, tasks: 1, slots: 1, webgpu: true });
    expect(indexesOf(h)).toEqual([0]);
    h.feed({ type: "clientWanted", client, tasks: 2, slots: 2, webgpu: false });
    expect(leasesIn(h.last)).toEqual([]);
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
        results: [done(index, lease!.attempt)],
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
});
