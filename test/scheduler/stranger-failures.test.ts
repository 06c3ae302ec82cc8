import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import { ofType } from "../support/scheduler-harness.ts";
import { SchedulerLab } from "../support/scheduler-lab.ts";

describe("[TRUST-2] [TRUST-3] failures of strangers", () => {
  test.each<FailureKind>(["error", "crash", "memory", "unserialisable", "timeout", "data", "refused"])(
    "of one cohort end nothing while a trusted client is there: %s",
    (kind) => {
      const lab = new SchedulerLab();
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
    const lab = new SchedulerLab();
    lab.busyNode();
    lab.job(1);
    expect(lab.failAll(lab.stranger()) + lab.failAll(lab.stranger()) + lab.failAll(lab.stranger())).toBe(2);
    expect(lab.failAll(lab.stranger("elsewhere"))).toBe(1);
  });

  test("end a task with maxAttempts cohorts", () => {
    const lab = new SchedulerLab();
    lab.busyNode();
    lab.job(1, { maxAttempts: 3 });
    for (const cohort of ["a", "b"]) for (let n = 0; n < 3; n++) lab.failAll(lab.stranger(cohort));
    expect(lab.failures).toEqual([]);
    lab.failAll(lab.stranger("c"));
    expect(lab.failures).toEqual(["error"]);
  });

  test("are believed when nobody else is there to be asked", () => {
    const lab = new SchedulerLab();
    lab.job(1, { maxAttempts: 3 });
    expect(lab.failAll(lab.stranger())).toBe(3);
    expect(lab.failures).toEqual(["error"]);
  });

  test.each<[FailureKind, number]>([
    ["error", 3],
    ["unserialisable", 2],
  ])("are believed once a trusted client failed, too: %s", (kind, maxAttempts) => {
    const lab = new SchedulerLab();
    const { node, setFree } = lab.busyNode();
    lab.job(1, { maxAttempts });
    expect(lab.failAll(lab.stranger(), kind)).toBe(2);
    expect(lab.failures).toEqual([]);
    setFree();
    lab.failAll(node, kind, 1);
    expect(lab.failures).toEqual([kind]);
  });

  test("[FAIL-4] that take a task down quarantine it only when a trusted client went down, too", () => {
    const lab = new SchedulerLab();
    const { node, setFree } = lab.busyNode();
    lab.job(1, { maxAttempts: 9 });
    for (const cohort of ["a", "b", "c"]) lab.failAll(lab.stranger(cohort), "crash");
    expect([lab.failures, lab.ended]).toEqual([[], false]);
    setFree();
    lab.failAll(node, "crash", 1);
    expect([lab.failures, lab.ended]).toEqual([["quarantined"], true]);
  });

  test("[FAIL-8] of two cohorts stop no job while an auditor can be asked, and do once it failed alike", () => {
    const lab = new SchedulerLab({ auditors: true });
    lab.job(40, { failFast: true });
    for (const cohort of ["a", "b"]) lab.failAll(lab.stranger(cohort), "error", 200);
    expect([lab.failures, lab.ended]).toEqual([[], false]);
    lab.failAll(lab.join(0, { auditor: true }), "error", 200);
    expect(lab.ended).toBe(true);
  });
});

describe("[FAIL-3] [TRUST-3] a task that fails everywhere", () => {
  /** Lets idle clients fail at their tasks until they get no more. */
  function failOn(lab: SchedulerLab, clients: readonly ClientId[]): void {
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
    const lab = new SchedulerLab({ auditors: true });
    lab.job(1, { maxAttempts: 5 });
    const tabs = [lab.stranger(), lab.stranger(), lab.stranger()];
    failOn(lab, [...tabs, lab.join(0, { auditor: true })]);
    expect(lab.failures).toEqual(["error"]);
  });

  test("does not wait for the auditor once another trusted client failed", () => {
    const lab = new SchedulerLab({ auditors: true });
    lab.job(1, { maxAttempts: 5 });
    const auditor = lab.join(1, { auditor: true });
    failOn(lab, [lab.join(0), lab.stranger(), auditor]);
    expect(lab.failures).toEqual(["error"]);
  });

  test("does not wait for a stranger that is barred from the job", () => {
    const lab = new SchedulerLab();
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
    const lab = new SchedulerLab();
    const job = lab.addJob({ maxAttempts: 3, failFast: false });
    lab.claim(job, [0], { attempts: 3 });
    lab.fail(lab.join(1), job, 0, 4);
    expect(lab.failures).toEqual(["error"]);
    expect(lab.scheduler.state.jobs.get(job)?.tasks.get(0)?.attempts).toBe(3);
  });

  test("counts no attempt whose failure the disk refused", () => {
    const lab = new SchedulerLab();
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

describe("[FAIL-4] clients that vanish", () => {
  test("are no evidence: a task that was preempted three times is tried on", () => {
    const lab = new SchedulerLab();
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
    const lab = new SchedulerLab({ auditors: true });
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
    const lab = new SchedulerLab({ auditors: true });
    lab.job(3);
    lab.failAll(lab.join(1));
    expect(ofType(lab.all, "callAuditors")).toEqual([]);
  });
});

describe("[TRUST-4] a stranger that fails where others do not", () => {
  /** Fails at so many tasks of a new job as a stranger, and computes them as a trusted client. */
  function refute(lab: SchedulerLab, client: ClientId, node: ClientId, count: number): JobId {
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
    const lab = new SchedulerLab();
    const [client, node] = [lab.stranger(), lab.join(0)];
    const job = refute(lab, client, node, 3);
    lab.claim(job, [50, 51]);
    lab.want(client, 5);
    expect(lab.held(client)).toEqual([]);
    const other = lab.job(1);
    expect(lab.held(client)).toMatchObject([{ job: other }]);
  });

  test("is barred after three such jobs, and one that mostly delivers is not", () => {
    const lab = new SchedulerLab();
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
