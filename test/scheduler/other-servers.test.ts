import { describe, expect, it } from "vitest";
import { makeClientId, type ClientId, type JobId } from "../../shared/ids.ts";
import type { Instruction } from "../../server/scheduler/events.ts";
import { done, leasesIn, SchedulerHarness } from "../support/scheduler-harness.ts";

const shared = () => new SchedulerHarness({ shared: true, believeUntil: 0 });

const of = <T extends Instruction["type"]>(type: T, instructions: readonly Instruction[]) =>
  instructions.filter((one): one is Extract<Instruction, { type: T }> => one.type === type);

/** A claim brings as many tasks as it may, so that there may be more. */
const claimSome = (h: SchedulerHarness, job: JobId, indexes: readonly number[]) =>
  h.feed({
    type: "tasksClaimed",
    job,
    limit: indexes.length,
    tasks: indexes.map((index) => ({
      index,
      input: new Uint8Array([index]),
      refs: [],
      attempts: 0,
      checkpoint: undefined,
    })),
  });

/** A client comes from another server with a lease. */
function bring(h: SchedulerHarness, job: JobId, index: number, trusted = true): ClientId {
  const id = makeClientId((bytes) => crypto.getRandomValues(new Uint8Array(bytes)));
  h.feed({
    type: "clientConnected",
    client: { id, kind: "node", memoryMb: 1024, webgpu: false, trusted, cohort: id, slots: 1 },
    held: [{ job, index, attempt: 3 }],
    cached: [],
  });
  return id;
}

describe("a scheduler among others", () => {
  it("[SERVERS-7] asks for the claims of leases that a client brings, and goes on with them", () => {
    const h = shared();
    const job = h.addJob();
    h.join(5, { slots: 5 });
    h.claim(job, [0, 1]);
    const client = bring(h, job, 7);
    expect(of("sendDropped", h.last)).toEqual([]);
    expect(of("claimTasks", h.last)).toContainEqual({ type: "claimTasks", job, limit: 1, among: [7] });
    // The other server released the task.
    expect(of("claimTasks", h.feed({ type: "tasksAdded", job, again: true }))).toContainEqual(
      expect.objectContaining({ among: [7] }),
    );
    const task = { index: 7, input: new Uint8Array([7]), refs: [], attempts: 0, checkpoint: undefined };
    const claimed = h.feed({ type: "tasksClaimed", job, tasks: [task], limit: 1, among: true });
    expect(leasesIn(claimed)).toEqual([]);
    expect(h.scheduler.client(client)!.leases.size).toBe(1);
    // The claim of any other task is still under way.
    expect(h.scheduler.state.jobs.get(job)!.claiming).toBe(true);
    expect(of("storeOutcomes", h.finish(client, job, 7, 3))).toHaveLength(1);
  });

  it("[SERVERS-7] takes the result of a brought lease without a claim, and tells the server that has it", () => {
    const h = shared();
    const job = h.addJob();
    const client = bring(h, job, 7, false);
    h.feed({ type: "resultsReceived", client, job, results: [done(7, 3)] });
    expect(of("storeOutcomes", h.last)).toHaveLength(1);
    expect(of("tellEnded", h.stored(job, [7]))).toEqual([{ type: "tellEnded", job, indexes: [7] }]);
  });

  it("[SERVERS-15] hands tasks over that lack opinions which no client here can give, and keeps the others", () => {
    const h = shared();
    const job = h.addJob({ verify: { quorum: 2 } as never });
    const client = h.join(1, { trusted: false, cohort: "x" });
    claimSome(h, job, [0]);
    h.feed({ type: "resultsReceived", client, job, results: [done(0, 1)] });
    const opinion = { window: 5, client, cohort: "x" };
    h.feed({ type: "opinionKept", job, index: 0, opinion });
    const tasks = [{ index: 0, opinions: [opinion] }];
    h.feed({ type: "clientLeft", client });
    // No claim is under way any more.
    claimSome(h, job, []);
    expect(of("handOver", h.feed({ type: "othersSeen" }))).toEqual([{ type: "handOver", job, tasks }]);
    // The task is not claimed again at once, although there may be others to claim.
    expect(h.scheduler.state.jobs.get(job)!.tasks.has(0)).toBe(false);
    h.join(1, { trusted: false, cohort: "x" });
    expect(of("claimTasks", h.last)).toEqual([]);
    expect(of("handOver", h.feed({ type: "othersSeen" }))).toEqual([]);
    // Handed back, the task is no work for a client of the same cohort.
    expect(of("claimTasks", h.feed({ type: "tasksHandedOver", job, tasks }))).toEqual([]);
    h.join(1, { trusted: false, cohort: "y" });
    const claims = of("claimTasks", h.feed({ type: "tasksHandedOver", job, tasks }));
    expect(claims).toContainEqual({ type: "claimTasks", job, limit: 1, among: [0] });
    const claimed = { index: 0, input: new Uint8Array([0]), refs: [], attempts: 1, checkpoint: undefined };
    h.feed({ type: "tasksClaimed", job, tasks: [claimed], limit: 1, among: true });
    expect(h.scheduler.state.jobs.get(job)!.tasks.get(0)!.opinions).toEqual([opinion]);
    expect(of("handOver", h.feed({ type: "othersSeen" }))).toEqual([]);
  });

  it("[SERVERS-15] forgets opinions of tasks that another server claimed", () => {
    const h = shared();
    const job = h.addJob({ verify: { quorum: 2 } as never });
    const opinion = { window: 5, client: h.join(1, { trusted: false, cohort: "y" }), cohort: "x" };
    h.feed({ type: "tasksHandedOver", job, tasks: [{ index: 0, opinions: [opinion] }] });
    expect(h.scheduler.state.jobs.get(job)!.opinions.size).toBe(1);
    h.now += 6_000;
    h.feed({ type: "timePassed" });
    expect(h.scheduler.state.jobs.get(job)!.opinions.size).toBe(0);
    expect(h.scheduler.state.jobs.get(job)!.handedOver.size).toBe(0);
  });

  it("[SERVERS-7] does not believe strangers in a job with a quorum", () => {
    const h = shared();
    const job = h.addJob({ verify: { quorum: 2 } as never });
    bring(h, job, 7, false);
    expect(of("sendDropped", h.last)).toHaveLength(1);
  });

  it("[SERVERS-7] lets go of the tasks of a client that moved, and rests a moment", () => {
    const h = shared();
    const job = h.addJob();
    const client = h.join(2);
    claimSome(h, job, [0]);
    expect(h.scheduler.client(client)!.leases.size).toBe(1);
    const out = h.feed({ type: "clientMoved", client });
    expect(of("unclaimTasks", out)).toEqual([{ type: "unclaimTasks", job, indexes: [0] }]);
    h.join(2);
    expect(of("claimTasks", h.last)).toEqual([]);
    expect(h.scheduler.client(client)).toBeUndefined();
    expect(of("claimTasks", h.pass(1000))).toHaveLength(1);
    expect(of("storeAttempts", h.last)).toEqual([]);
  });

  it("[SERVERS-9] gives tasks back when its clients left, and claims them again when others come", () => {
    const h = shared();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1, 2]);
    expect(h.scheduler.client(client)!.leases.size).toBe(1);
    expect(of("unclaimTasks", h.pass(1000))).toEqual([{ type: "unclaimTasks", job, indexes: [1, 2] }]);
    h.feed({ type: "clientLeft", client });
    expect(of("unclaimTasks", h.pass(1000))).toEqual([{ type: "unclaimTasks", job, indexes: [0] }]);
    expect(of("claimTasks", h.last)).toEqual([]);
    expect(h.scheduler.claimed).toBe(0);
    h.join(1);
    expect(of("claimTasks", h.last)).toEqual([{ type: "claimTasks", job, limit: 1 }]);
  });

  it("[SERVERS-7] stops tasks that ended elsewhere", () => {
    const h = shared();
    const job = h.addJob();
    const client = h.join(2);
    h.claim(job, [0, 1]);
    const brought = bring(h, job, 9);
    h.feed({ type: "tasksEnded", job, indexes: [0, 9, 500] });
    const cancels = of("sendCancel", h.last).map(({ client: id, indexes }) => [id, indexes]);
    expect(cancels).toEqual([
      [client, [0]],
      [brought, [9]],
    ]);
    expect([...h.scheduler.state.jobs.get(job)!.tasks.keys()]).toEqual([1]);
  });

  it("[SERVERS-8] keeps its clients' tasks as leases that wait for a claim when its claims are lost", () => {
    const h = shared();
    const job = h.addJob({ verify: "audit" });
    const client = h.join(2, { trusted: false, cohort: "x" });
    h.claim(job, [0, 1, 2]);
    const held = [...h.scheduler.client(client)!.leases].map(({ task, attempt }) => [task.index, attempt]);
    expect(held.length).toBeGreaterThan(0);
    const out = h.feed({ type: "claimsLost", firstWindow: 2 ** 33 + 1 });
    expect(of("claimTasks", out)).toContainEqual(
      expect.objectContaining({ among: held.map(([index]) => index) }),
    );
    expect(h.scheduler.state.jobs.get(job)!.tasks.size).toBe(0);
    h.feed({
      type: "resultsReceived",
      client,
      job,
      results: held.map(([index, attempt]) => done(index!, attempt)),
    });
    expect(of("keepProvisional", h.last)[0]!.window.number).toBe(2 ** 33 + 1);
  });

  it("[SERVERS-8] computes a task that it claims although a withdrawn result of it is being audited", () => {
    const h = shared();
    const job = h.addJob({ verify: "audit" });
    const client = h.join(1);
    const window = { number: 5, client: makeClientId((bytes) => new Uint8Array(bytes)), cohort: "x" };
    h.feed({ type: "provisionalFound", windows: [{ ...window, job, at: 0, indexes: [0] }] });
    const tasks = [{ index: 0, input: new Uint8Array([0]), refs: [], attempts: 1, checkpoint: undefined }];
    h.feed({ type: "auditsRead", job, window: 5, asked: 1, tasks, outputs: undefined });
    const audited = h.scheduler.state.jobs.get(job)!.tasks.get(0)!;
    expect(audited.audit).toBeDefined();
    claimSome(h, job, [0]);
    const task = h.scheduler.state.jobs.get(job)!.tasks.get(0)!;
    expect(task.audit).toBeUndefined();
    expect([...h.scheduler.client(client)!.leases].map((lease) => lease.task)).toEqual([task]);
    expect(h.scheduler.claimed).toBe(1);
  });

  it("[SERVERS-9] gives queued tasks back when its clients left, and claims again for the next", () => {
    const h = shared();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0, 1, 2]);
    h.feed({ type: "clientLeft", client });
    const out = h.pass(1000);
    expect(of("unclaimTasks", out)).toEqual([{ type: "unclaimTasks", job, indexes: [0, 1, 2] }]);
    expect(of("claimTasks", out)).toEqual([]);
    expect(h.scheduler.state.jobs.get(job)!.tasks.size).toBe(0);
    h.join(1);
    expect(of("claimTasks", h.last)).toHaveLength(1);
  });

  it("[SERVERS-9] keeps no tasks for clients that pause or do not suit, nor claims any", () => {
    const h = shared();
    const job = h.addJob({ requires: { webgpu: true } });
    const client = h.join(1, { webgpu: true, slots: 1 });
    h.join(5, { slots: 5 });
    h.claim(job, [0, 1]);
    h.want(client, 0, 1);
    expect(of("unclaimTasks", h.pass(1000))).toEqual([{ type: "unclaimTasks", job, indexes: [1] }]);
    expect(of("claimTasks", h.pass(1000))).toEqual([]);
    h.finish(client, job, 0);
    h.want(client, 1, 1);
    expect(of("claimTasks", h.last)).toHaveLength(1);
  });

  it("[SERVERS-9] claims what idle slots take, and half a second's work", () => {
    const h = shared();
    const job = h.addJob();
    const limits = () => of("claimTasks", h.last).map(({ limit }) => limit);
    const client = h.join(100, { slots: 4 });
    expect(limits()).toEqual([4]);
    h.claim(job, [0, 1, 2, 3]);
    h.feed({ type: "tasksAdded", job, again: true });
    expect(limits()).toEqual([]);
    h.now += 100;
    h.feed({
      type: "resultsReceived",
      client,
      job,
      results: [{ ...done(0), elapsedMs: 10 }],
    });
    const [limit] = limits();
    expect(limit).toBeGreaterThan(20);
    expect(limit).toBeLessThanOrEqual(4 * 50 + 4);
  });
});
