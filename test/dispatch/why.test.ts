import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { reasonCodes, type Why } from "../../shared/wire/why.ts";
import { whyClient } from "../../server/dispatch/why/client.ts";
import { whyJob, type StoredJob } from "../../server/dispatch/why/job.ts";
import { joinWhys, whyServer } from "../../server/dispatch/why/server.ts";
import { SchedulerHarness } from "../support/scheduler-harness.ts";

const codesOf = ({ reasons }: Why): string[] => reasons.map(({ code }) => code);
const textOf = ({ reasons }: Why): string => reasons.map(({ text }) => text).join(" ");

function stored(id: JobId, overrides: Partial<StoredJob> = {}): StoredJob {
  const counts = { total: 2, done: 0, failed: 0, provisional: 0 };
  return { id, state: "open", waitingFor: [], paused: false, reason: undefined, ...counts, ...overrides };
}

function ofJob(harness: SchedulerHarness, id: JobId, overrides: Partial<StoredJob> = {}): Why {
  return whyJob(harness.scheduler.state, stored(id, overrides), (client) => `client ${client}`);
}

function ofClient(harness: SchedulerHarness, id: ClientId, waiting = 0): Why {
  return whyClient(harness.scheduler.state, id, waiting);
}

describe("[WHY-1] why no task of a job is computed", () => {
  test.each<[string, Partial<StoredJob>, string]>([
    ["ended", { state: "finished" }, "The job is finished."],
    [
      "waitsForJobs",
      { waitingFor: ["j_a" as JobId, "j_b" as JobId] },
      "The job waits for 2 other jobs to finish.",
    ],
    ["noTasks", { total: 0 }, "The job has no tasks yet."],
    ["noMoreTasks", { done: 2 }, "The job has no task left, and may get further ones."],
    ["noClients", {}, "No client is connected."],
  ])("%s", (code, overrides, text) => {
    const harness = new SchedulerHarness();
    const why = ofJob(harness, harness.addJob(), overrides);
    expect([codesOf(why), textOf(why)]).toEqual([[code], text]);
  });

  test("its own stops come first, several of them together", () => {
    const harness = new SchedulerHarness({ holdUntil: 3000 });
    const id = harness.addJob({ paused: true });
    harness.feed({ type: "quotaChanged", customer: "ada", full: true });
    const kernel = sha256Hex(new Uint8Array([1]));
    harness.feed({ type: "dataChanged", sha256: kernel, isMissing: true });
    const why = ofJob(harness, id);
    expect(codesOf(why)).toEqual(["paused", "quotaFull", "missingKernel", "starting"]);
    expect(why.reasons.at(-1)).toMatchObject({
      endsInMs: 2000,
      text: expect.stringContaining("within 2 seconds"),
    });
    harness.feed({ type: "leasingStopped" });
    expect(codesOf(ofJob(harness, id))[0]).toBe("stopping");
  });

  test("its clients are away, paused, or lack what it needs", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob({ requires: { webgpu: true, kind: "browser" } });
    harness.claim(id, [0, 1]);
    const node = harness.join(4);
    expect(textOf(ofJob(harness, id))).toBe(
      "The job needs WebGPU, which no connected client has. The job needs browsers, and no connected client is one.",
    );
    harness.join(4, { webgpu: true });
    harness.join(4, { kind: "browser" });
    expect(textOf(ofJob(harness, id))).toBe(
      "The job needs WebGPU and a browser in one client; no connected client has all of that.",
    );
    const able = harness.join(0, { webgpu: true, kind: "browser" });
    expect(codesOf(ofJob(harness, id))).toEqual(["clientsPaused"]);
    for (const client of [node, able]) harness.feed({ type: "clientLeft", client });
    expect(codesOf(ofJob(harness, id))).toEqual(["needsTogether"]);
  });

  test("a client that lost its connection is waited for until its grace time ends", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob();
    harness.claim(id, [0, 1]);
    const other = harness.addJob({ paused: true });
    const client = harness.join(1);
    expect(ofJob(harness, id)).toEqual({ running: 1, reasons: [] });
    harness.feed({ type: "clientVanished", client });
    harness.now += 10_000;
    harness.feed({ type: "jobChanged", job: other, paused: false });
    const why = whyJob(harness.scheduler.state, stored(other), String);
    expect(why.reasons).toMatchObject([{ code: "clientsAway", count: 1, endsInMs: 20_000 }]);
  });

  test("all clients are busy with jobs that come first", () => {
    const harness = new SchedulerHarness();
    const first = harness.addJob({ priority: 5 });
    const second = harness.addJob();
    harness.claim(first, [0, 1, 2]);
    harness.claim(second, [0, 1]);
    harness.join(1);
    const why = ofJob(harness, second);
    expect([codesOf(why), textOf(why)]).toEqual([
      ["clientsBusy"],
      "The one client that could compute the job is busy with jobs that come first.",
    ]);
  });

  test("tasks wait for the opinion of somebody else", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob({ verify: { quorum: 2 } });
    harness.claim(id, [0]);
    const stranger = { trusted: false, cohort: "10.0.0" };
    const client = harness.join(2, stranger);
    harness.finish(client, id, 0);
    const kept = harness.last.find(({ type }) => type === "keepProvisional");
    expect(kept).toBeDefined();
    const opinion = { window: 1, client, cohort: stranger.cohort };
    harness.feed({ type: "opinionKept", job: id, index: 0, opinion });
    harness.claim(id, []);
    const why = ofJob(harness, id, { total: 1 });
    expect(why.reasons).toMatchObject([{ code: "needsOpinions", count: 1 }]);
    expect(codesOf(ofClient(harness, client))).toEqual(["needsOpinions"]);
    harness.join(1, { ...stranger, cohort: "10.1.1" });
    expect(ofJob(harness, id, { total: 1 })).toEqual({ running: 1, reasons: [] });
  });

  test("results wait to be checked", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob({ verify: "audit" });
    const why = ofJob(harness, id, { total: 2, provisional: 2 });
    expect(textOf(why)).toBe("2 results of volunteers wait to be checked by other volunteers.");
  });

  test("results that are on their way to disk", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob();
    const client = harness.join(1);
    harness.claim(id, [0]);
    harness.finish(client, id, 0);
    expect(codesOf(ofJob(harness, id, { total: 1 }))).toEqual(["saving"]);
  });

  test("a task that failed twice in one cohort waits for a client of another, which is busy", () => {
    const harness = new SchedulerHarness({ speculate: false });
    const other = harness.addJob();
    harness.claim(other, [0]);
    const busy = harness.join(1);
    const id = harness.addJob();
    const stranger = { trusted: false, cohort: "10.0.0" };
    const first = harness.join(1, stranger);
    harness.claim(id, [0]);
    harness.fail(first, id, 0, 1);
    harness.fail(first, id, 0, 2);
    expect(harness.scheduler.client(busy)?.leases.size).toBe(1);
    const why = ofJob(harness, id, { total: 1 });
    expect(textOf(why)).toBe("1 task failed before, and waits for another client than those that tried.");
  });

  test("tasks that take far longer than the others are named, with their client", () => {
    const harness = new SchedulerHarness({ speculate: false });
    const id = harness.addJob();
    const client = harness.join(8, { slots: 8 });
    harness.claim(id, [0, 1, 2]);
    harness.now += 100;
    for (const index of [0, 1]) harness.finish(client, id, index);
    harness.stored(id, [0, 1]);
    expect(ofJob(harness, id, { done: 2, total: 3 })).toEqual({ running: 1, reasons: [] });
    harness.pass(50_000);
    const why = ofJob(harness, id, { done: 2, total: 3 });
    expect(why).toMatchObject({ running: 1, reasons: [{ code: "slowClients", count: 1 }] });
    expect(textOf(why)).toMatch(/^1 task takes much longer than the others: 50 s so far.*on client c_/);
  });
});

describe("[WHY-1] why a client has no task", () => {
  test("the state of the client itself", () => {
    const harness = new SchedulerHarness();
    const client = harness.join(0);
    expect(codesOf(ofClient(harness, "c_nobody" as ClientId))).toEqual(["notConnected"]);
    expect(codesOf(ofClient(harness, client))).toEqual(["clientPaused"]);
    harness.want(client, 2);
    expect(codesOf(ofClient(harness, client))).toEqual(["noJobs"]);
    expect(textOf(ofClient(harness, client, 2))).toBe("2 jobs wait for other jobs to finish.");
    const auditor = harness.join(1, { auditor: true });
    expect(codesOf(ofClient(harness, auditor))).toEqual(["auditorWaits"]);
  });

  test("jobs are counted by their reasons, the one of most jobs first", () => {
    const harness = new SchedulerHarness();
    for (let i = 0; i < 3; i++) harness.addJob({ paused: true });
    const gpu = harness.addJob({ requires: { webgpu: true } });
    const client = harness.join(2);
    expect(textOf(ofClient(harness, client))).toBe(
      "3 jobs are paused by their owners. 1 job needs WebGPU, which this client does not have.",
    );
    harness.claim(gpu, [0]);
    harness.join(1, { webgpu: true });
    expect(textOf(ofClient(harness, client))).toContain("1 job needs WebGPU");
  });

  test("every open task is with other clients", () => {
    const harness = new SchedulerHarness({ speculate: false });
    const id = harness.addJob();
    harness.claim(id, [0]);
    harness.join(1);
    expect(codesOf(ofClient(harness, harness.join(1)))).toEqual(["allLeased"]);
  });
});

describe("[WHY-2] a server", () => {
  test("without a client says so first, and how many jobs wait", () => {
    const harness = new SchedulerHarness();
    const paused = harness.addJob({ paused: true });
    const [a, b] = [harness.addJob(), harness.addJob()];
    const why = whyServer(harness.scheduler.state, [stored(paused), stored(a), stored(b)], 0);
    expect(textOf(why)).toBe("No client is connected; 2 jobs wait. 1 job is paused by its owner.");
    expect(codesOf(whyServer(harness.scheduler.state, [], 0))).toEqual(["noJobs"]);
    expect(whyServer(harness.scheduler.state, [stored(a)], 3)).toEqual({ running: 3, reasons: [] });
  });

  test("among several gives the reason of that with clients, and none when another one computes", () => {
    const empty: Why = { running: 0, reasons: [{ code: "noClients", text: "No client is connected." }] };
    const lacking: Why = { running: 0, reasons: [{ code: "needsWebgpu", text: "…" }] };
    expect(joinWhys(empty, [lacking])).toEqual(lacking);
    expect(joinWhys(empty, [empty])).toEqual(empty);
    expect(joinWhys(empty, [{ running: 4, reasons: [] }])).toEqual({ running: 4, reasons: [] });
  });
});

test("[WHY-1] in random states an open job that no client computes has a reason, in a sentence", () => {
  for (let seed = 1; seed <= 200; seed++) {
    let random = seed;
    const below = (end: number): number => (random = (random * 48_271) % 2_147_483_647) % end;
    const harness = new SchedulerHarness({ speculate: below(2) === 0 });
    const jobs: JobId[] = [];
    const clients: ClientId[] = [];
    for (let step = 0; step < 40; step++) {
      const job = jobs[below(jobs.length || 1)];
      const client = clients[below(clients.length || 1)];
      switch (below(7)) {
        case 0:
          jobs.push(
            harness.addJob({ paused: below(3) === 0, requires: below(3) === 0 ? { webgpu: true } : {} }),
          );
          break;
        case 1:
          clients.push(harness.join(below(4), { trusted: below(2) === 0, cohort: `cohort ${below(3)}` }));
          break;
        case 2:
          if (job && !harness.scheduler.state.jobs.get(job)?.tasks.size) harness.claim(job, [0, 1, 2]);
          break;
        case 3:
          if (client && harness.scheduler.client(client)) harness.feed({ type: "clientVanished", client });
          break;
        case 4: {
          const lease = client && [...(harness.scheduler.client(client)?.leases ?? [])][0];
          if (lease) harness.fail(lease.client, lease.task.job.id, lease.task.index, lease.attempt);
          break;
        }
        case 5:
          if (client && harness.scheduler.client(client)) harness.want(client, below(3));
          break;
        default:
          harness.pass(below(5_000));
      }
    }
    for (const id of jobs.filter((job) => harness.scheduler.state.jobs.has(job))) {
      const why = ofJob(harness, id, { total: 3 });
      if (why.running === 0) expect([seed, why.reasons.length]).not.toEqual([seed, 0]);
      for (const { code, text } of why.reasons) {
        expect(reasonCodes).toContain(code);
        expect(text).toMatch(/^[A-Z0-9][^\n]*\.$/);
        expect(text).not.toMatch(/undefined|NaN|null/);
      }
    }
    for (const id of clients) expect(textOf(ofClient(harness, id))).not.toMatch(/undefined|NaN|null/);
  }
});
