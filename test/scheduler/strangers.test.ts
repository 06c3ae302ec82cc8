import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import { ofType, SchedulerHarness } from "../support/scheduler-harness.ts";
import type { Instruction, SchedulerEvent, SchedulerJob } from "../../server/scheduler/events.ts";

/** A scheduler with all its instructions. */
class Lab extends SchedulerHarness {
  readonly all: Instruction[] = [];

  override feed(event: SchedulerEvent): Instruction[] {
    const out = super.feed(event);
    this.all.push(...out);
    return out;
  }

  job(count: number, options: Partial<SchedulerJob> = {}): JobId {
    const job = this.addJob({ failFast: false, ...options });
    this.claim(
      job,
      Array.from({ length: count }, (_, index) => index),
    );
    return job;
  }

  stranger(cohort = "lab"): ClientId {
    return this.join(0, { trusted: false, cohort });
  }

  /** A trusted client that computes a long task; its result frees the client. */
  busyNode(): { node: ClientId; setFree: () => Instruction[] } {
    const job = this.job(1, { priority: 9 });
    const node = this.join(1);
    return { node, setFree: () => this.finish(node, job, 0) };
  }

  /** Lets a client fail at every task that it is given, at most so many. @returns at how many */
  failAll(client: ClientId, kind: FailureKind = "error", most = 20): number {
    for (let count = 0; count < most; count++) {
      this.want(client, 1);
      const [lease] = this.held(client);
      if (!lease) return count;
      this.fail(client, lease.job, lease.index, lease.attempt, kind);
    }
    return most;
  }

  held(client: ClientId): { job: JobId; index: number; attempt: number }[] {
    const leases = [...(this.scheduler.client(client)?.leases ?? [])];
    return leases.map(({ task, attempt }) => ({ job: task.job.id, index: task.index, attempt }));
  }

  get failures(): string[] {
    return ofType(this.all, "storeOutcomes").flatMap(({ outcomes }) =>
      outcomes.flatMap((outcome) => (outcome.state === "failed" ? [outcome.failure.kind] : [])),
    );
  }

  get ended(): boolean {
    return ofType(this.all, "quarantineJob").length > 0;
  }
}

describe("[TRUST-2] [TRUST-3] failures of strangers", () => {
  test.each<FailureKind>(["error", "crash", "memory", "unserialisable", "timeout", "data", "refused"])(
    "of one cohort end nothing while a trusted client is there: %s",
    (kind) => {
      const lab = new Lab();
      const { node, setFree } = lab.busyNode();
      const job = lab.job(3, { failFast: true });
      for (let n = 0; n < 9; n++) lab.failAll(lab.stranger(), kind);
      expect(lab.failures).toEqual([]);
      expect(lab.ended).toBe(false);
      setFree();
      for (const index of [0, 1, 2]) {
        const lease = lab.held(node).find((held) => held.job === job)!;
        lab.finish(node, job, lease.index, lease.attempt);
        expect(ofType(lab.all, "storeOutcomes").length).toBe(2 + index);
        lab.want(node, 1);
      }
    },
  );

  test("of one cohort are tried again there once, and then wait for another voice", () => {
    const lab = new Lab();
    lab.busyNode();
    lab.job(1);
    expect(lab.failAll(lab.stranger()) + lab.failAll(lab.stranger()) + lab.failAll(lab.stranger())).toBe(2);
    expect(lab.failAll(lab.stranger("elsewhere"))).toBe(1);
  });

  test("end a task with maxAttempts cohorts", () => {
    const lab = new Lab();
    lab.busyNode();
    lab.job(1, { maxAttempts: 3 });
    for (const cohort of ["a", "b"]) for (let n = 0; n < 3; n++) lab.failAll(lab.stranger(cohort));
    expect(lab.failures).toEqual([]);
    lab.failAll(lab.stranger("c"));
    expect(lab.failures).toEqual(["error"]);
  });

  test("are believed when nobody else is there to be asked", () => {
    const lab = new Lab();
    lab.job(1, { maxAttempts: 3 });
    expect(lab.failAll(lab.stranger())).toBe(3);
    expect(lab.failures).toEqual(["error"]);
  });

  test.each<[FailureKind, number]>([
    ["error", 3],
    ["unserialisable", 2],
  ])("are believed once a trusted client failed, too: %s", (kind, maxAttempts) => {
    const lab = new Lab();
    const { node, setFree } = lab.busyNode();
    lab.job(1, { maxAttempts });
    expect(lab.failAll(lab.stranger(), kind)).toBe(2);
    expect(lab.failures).toEqual([]);
    setFree();
    lab.failAll(node, kind, 1);
    expect(lab.failures).toEqual([kind]);
  });

  test("[FAIL-4] that take a task down quarantine it only when a trusted client went down, too", () => {
    const lab = new Lab();
    const { node, setFree } = lab.busyNode();
    lab.job(1, { maxAttempts: 9 });
    for (const cohort of ["a", "b", "c"]) lab.failAll(lab.stranger(cohort), "crash");
    expect([lab.failures, lab.ended]).toEqual([[], false]);
    setFree();
    lab.failAll(node, "crash", 1);
    expect([lab.failures, lab.ended]).toEqual([["quarantined"], true]);
  });

  test("[FAIL-8] of two cohorts stop no job while an auditor can be asked, and do once it failed alike", () => {
    const lab = new Lab({ auditors: true });
    lab.job(40, { failFast: true });
    for (const cohort of ["a", "b"]) lab.failAll(lab.stranger(cohort), "error", 200);
    expect([lab.failures, lab.ended]).toEqual([[], false]);
    lab.failAll(lab.join(0, { auditor: true }), "error", 200);
    expect(lab.ended).toBe(true);
  });
});

describe("[FAIL-3] [TRUST-3] a task that fails everywhere", () => {
  /** Lets idle clients fail at their tasks until they get no more. */
  function failOn(lab: Lab, clients: readonly ClientId[]): void {
    for (const client of clients) lab.want(client, 1);
    for (let hasFailed = true; hasFailed;) {
      hasFailed = false;
      for (const client of clients)
        for (const { job, index, attempt } of lab.held(client)) {
          lab.fail(client, job, index, attempt);
          hasFailed = true;
        }
    }
  }

  test("ends also where several clients of its only cohort wait for it, and the auditor failed", () => {
    const lab = new Lab({ auditors: true });
    lab.job(1, { maxAttempts: 5 });
    const tabs = [lab.stranger(), lab.stranger(), lab.stranger()];
    failOn(lab, [...tabs, lab.join(0, { auditor: true })]);
    expect(lab.failures).toEqual(["error"]);
  });

  test("does not wait for the auditor once another trusted client failed", () => {
    const lab = new Lab({ auditors: true });
    lab.job(1, { maxAttempts: 5 });
    const auditor = lab.join(1, { auditor: true });
    failOn(lab, [lab.join(0), lab.stranger(), auditor]);
    expect(lab.failures).toEqual(["error"]);
  });

  test("does not wait for a stranger that is barred from the job", () => {
    const lab = new Lab();
    const job = lab.job(4, { maxAttempts: 5 });
    const [broken, node] = [lab.stranger("a"), lab.join(0)];
    for (let n = 0; n < 3; n++) {
      lab.want(broken, 1);
      const [held] = lab.held(broken);
      lab.want(broken, 0);
      lab.fail(broken, job, held!.index, held!.attempt);
    }
    lab.want(node, 3, 3);
    for (const { index, attempt } of lab.held(node)) lab.finish(node, job, index, attempt);
    lab.feed({ type: "clientLeft", client: node });
    failOn(lab, [broken, lab.stranger("b"), lab.stranger("b")]);
    // The last task failed, and waits for no other client.
    expect(lab.failures).toEqual(["error"]);
  });

  test("has one more attempt when a server died before the verdict on the last", () => {
    const lab = new Lab();
    const job = lab.addJob({ maxAttempts: 3, failFast: false });
    lab.claim(job, [0], { attempts: 3 });
    lab.fail(lab.join(1), job, 0, 4);
    expect(lab.failures).toEqual(["error"]);
    expect(lab.scheduler.state.jobs.get(job)?.tasks.get(0)?.attempts).toBe(3);
  });

  test("counts no attempt whose failure the disk refused", () => {
    const lab = new Lab();
    const job = lab.job(1, { maxAttempts: 2 });
    const node = lab.join(1);
    for (let attempt = 1; attempt <= 4; attempt++) {
      lab.fail(node, job, 0, attempt);
      if (attempt > 1) lab.feed({ type: "outcomesRefused", job, indexes: [0] });
    }
    expect(lab.failures).toHaveLength(3);
    expect(lab.scheduler.state.jobs.get(job)?.tasks.get(0)?.attempts).toBe(1);
  });
});

test("[CREDIT-1] a stranger that lost credit asks for nothing beyond it", () => {
  const lab = new Lab();
  lab.job(2);
  const silent = lab.stranger();
  lab.want(silent, 4, 4);
  const client = lab.scheduler.state.clients.get(silent)!;
  expect([lab.held(silent).length, lab.scheduler.state.hungry.has(client)]).toEqual([2, true]);
  // After such a silence the stranger's credit is halved, to the two tasks that it holds.
  lab.pass(61_000);
  expect([lab.held(silent).length, lab.scheduler.state.hungry.has(client)]).toEqual([2, false]);
});

describe("[FAIL-4] clients that vanish", () => {
  test("are no evidence: a task that was preempted three times is tried on", () => {
    const lab = new Lab();
    lab.job(2, { maxAttempts: 20 });
    for (let n = 0; n < 6; n++) {
      const node = lab.join(2);
      lab.want(node, 2, 2);
      lab.feed({ type: "clientVanished", client: node });
      lab.pass(30_000);
    }
    expect([lab.failures, lab.ended]).toEqual([[], false]);
    expect(lab.join(2) && lab.failures).toEqual([]);
  });
});

describe("[TRUST-5] an auditor", () => {
  test("is called when strangers failed, and gets nothing but those tasks", () => {
    const lab = new Lab({ auditors: true });
    const job = lab.job(20);
    const auditor = lab.join(5, { auditor: true });
    lab.want(auditor, 5, 5);
    expect(lab.held(auditor)).toEqual([]);
    lab.failAll(lab.stranger(), "error", 1);
    expect(ofType(lab.all, "callAuditors")).not.toEqual([]);
    expect(lab.held(auditor)).toMatchObject([{ job, index: 0 }]);
    lab.finish(auditor, job, 0, lab.held(auditor)[0]!.attempt);
    expect(lab.held(auditor)).toEqual([]);
  });

  test("is not called for what trusted clients fail at", () => {
    const lab = new Lab({ auditors: true });
    lab.job(3);
    lab.failAll(lab.join(1));
    expect(ofType(lab.all, "callAuditors")).toEqual([]);
  });
});

describe("[TRUST-4] a stranger that fails where others do not", () => {
  /** Fails at so many tasks of a new job as a stranger, and computes them as a trusted client. */
  function refute(lab: Lab, client: ClientId, node: ClientId, count: number): JobId {
    const job = lab.job(count + 1);
    for (let failed = 0; failed < count; failed++) {
      lab.want(client, 1);
      const [held] = lab.held(client);
      lab.want(client, 0);
      lab.fail(client, job, held!.index, held!.attempt);
    }
    lab.want(node, 100, 100);
    for (const { index, attempt } of lab.held(node)) lab.finish(node, job, index, attempt);
    lab.want(node, 0);
    return job;
  }

  test("gets no more of a job after three such tasks, and goes on with others", () => {
    const lab = new Lab();
    const [client, node] = [lab.stranger(), lab.join(0)];
    const job = refute(lab, client, node, 3);
    lab.claim(job, [50, 51]);
    lab.want(client, 5);
    expect(lab.held(client)).toEqual([]);
    const other = lab.job(1);
    expect(lab.held(client)).toMatchObject([{ job: other }]);
  });

  test("is barred after three such jobs, and one that mostly delivers is not", () => {
    const lab = new Lab();
    const [broken, sound, node] = [lab.stranger("a"), lab.stranger("b"), lab.join(0)];
    const all = lab.job(100);
    for (lab.want(sound, 100); lab.held(sound).length > 0; lab.want(sound, 100))
      for (const { index, attempt } of lab.held(sound)) {
        lab.finish(sound, all, index, attempt);
        lab.stored(all, [index]);
      }
    lab.want(sound, 0);
    for (let n = 0; n < 3; n++) {
      expect(ofType(lab.all, "barClient")).toEqual([]);
      refute(lab, broken, node, 3);
      refute(lab, sound, node, 3);
    }
    expect(ofType(lab.all, "barClient")).toMatchObject([
      { client: broken, reason: expect.stringContaining("3 jobs") },
    ]);
  });
});

describe("[CREDIT-1] leases of a stranger", () => {
  /** Has a client ask for tasks without bound and deliver their results. @returns the number of results */
  function round(lab: Lab, client: ClientId, elapsedMs: number): number {
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
    const lab = new Lab();
    lab.job(3000);
    const client = lab.stranger();
    const rounds = [1, 2, 3, 4, 5, 6].map(() => round(lab, client, 60_000));
    expect(rounds).toEqual([4, 8, 16, 32, 64, 128]);
  });

  test("is a second of work of tiny tasks, once it is known how tiny they are", () => {
    const lab = new Lab();
    lab.job(4000);
    const client = lab.stranger();
    expect(round(lab, client, 0.1)).toBe(4);
    expect(round(lab, client, 0.1)).toBeGreaterThan(3000);
  });

  test("is what it asks for, of a trusted client", () => {
    const lab = new Lab();
    lab.job(3000);
    expect(round(lab, lab.join(0), 60_000)).toBe(3000);
  });

  test("is half as much for each lease that it lets lapse, and at least one task", () => {
    const lab = new Lab();
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
  function hoard(lab: Lab, count: number): () => number {
    const hoard = Array.from({ length: count }, () => {
      const client = lab.stranger("10.1.1.0/24");
      lab.want(client, 16_384);
      return client;
    });
    return () => hoard.reduce((held, client) => held + lab.held(client).length, 0);
  }

  test("hold half of a job at most while others are there, however many they are", () => {
    const lab = new Lab();
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
    const lab = new Lab();
    lab.job(300);
    expect(hoard(lab, 200)()).toBe(300);
  });

  test("share what they took when nobody was there with whoever comes, after a second", () => {
    const lab = new Lab();
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
    const lab = new Lab();
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
    const lab = new Lab();
    const client = lab.stranger("a");
    lab.join(0, { id: client, trusted: false, cohort: "b" });
    expect([...lab.scheduler.state.cohorts]).toEqual([["b", { members: 1, newcomersHold: 0 }]]);
    lab.feed({ type: "clientLeft", client });
    expect(lab.scheduler.state.cohorts.size).toBe(0);
  });
});

describe("[CREDIT-3] a task whose stranger is silent", () => {
  /** A job whose tasks take 1 s, and a stranger that holds one. */
  function silent(): { lab: Lab; job: JobId; client: ClientId; other: ClientId; node: ClientId } {
    const lab = new Lab({ speculate: false });
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
    const lab = new Lab({ speculate: false });
    lab.job(1);
    lab.join(1);
    const other = lab.stranger();
    lab.want(other, 1);
    lab.pass(100_000);
    expect(lab.held(other)).toEqual([]);
  });
});
