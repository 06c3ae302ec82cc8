import { describe, expect, test } from "vitest";
import { likenessOf } from "../../server/scheduler/likeness.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import { leasesIn, ofType, SchedulerHarness } from "../support/scheduler-harness.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Lets every lease of a client fail, again and again, until the client gets no more or `most` have failed. */
function failAll(
  h: SchedulerHarness,
  client: ClientId,
  job: JobId,
  {
    kind = "error",
    most = 100,
    message = (index: number) => `no particle ${index}`,
  }: { kind?: FailureKind; most?: number; message?: (index: number) => string } = {},
): number {
  let failed = 0;
  for (;;) {
    const [lease] = h.scheduler.client(client)?.leases ?? [];
    if (!lease || failed >= most || ofType(h.last, "quarantineJob").length > 0) return failed;
    h.fail(client, job, lease.task.index, lease.attempt, kind, message(lease.task.index));
    failed++;
  }
}

const ends = (h: SchedulerHarness) => ofType(h.last, "quarantineJob");

describe("[FAIL-7] a failure that another attempt would repeat", () => {
  test("of a value that cannot be sent ends the task at its first attempt, and says so", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, [0]);
    h.fail(client, job, 0, 1, "unserialisable", "a function is no value.");
    const message = expect.stringMatching(/^a function is no value\. Not tried again: /) as string;
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      { outcomes: [{ state: "failed", failure: { kind: "unserialisable", attempts: 1, message } }] },
    ]);
    expect(ofType(h.last, "storeAttempts")).toEqual([]);
  });

  test("of a kernel that loads nowhere ends the job, once every client that is there has said so", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [first, second] = [h.join(1), h.join(1)];
    h.claim(job, range(50));
    h.fail(first, job, 0, 1, "refused", "SyntaxError");
    expect(ends(h)).toEqual([]);
    // The first client has given all its evidence, the second has given none.
    expect(leasesIn(h.last)).toEqual([]);
    h.fail(second, job, 1, 1, "refused", "SyntaxError");
    expect(ends(h)).toMatchObject([
      { job, reason: { message: expect.stringMatching(/does not load .* \(2\).*SyntaxError/) as string } },
    ]);
  });

  test("of a kernel that a client alone cannot load leaves its tasks to the others", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [old, modern] = [h.join(1), h.join(1)];
    h.claim(job, range(4));
    h.finish(modern, job, 1);
    h.stored(job, [1]);
    h.fail(old, job, 0, 1, "refused", "WebAssembly.Tag is not a constructor");
    expect(ofType(h.last, "storeAttempts")).toHaveLength(1);
    expect(leasesIn(h.last)).toEqual([]);
    h.finish(modern, job, 2);
    expect(leasesIn(h.last)).toMatchObject([{ client: modern, index: 0 }]);
    // No other client is left: a suspect client is better than none.
    h.feed({ type: "clientLeft", client: modern });
    expect(leasesIn(h.last)).toMatchObject([{ client: old }]);
  });

  test("of a kernel that does not load ends only tasks where the job is not to fail fast", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ failFast: false });
    const client = h.join(1);
    h.claim(job, [0, 1]);
    h.fail(client, job, 0, 1, "refused", "SyntaxError");
    expect(ends(h)).toEqual([]);
    expect(ofType(h.last, "storeOutcomes")).toMatchObject([
      {
        outcomes: [
          { failure: { attempts: 1, message: expect.stringContaining("Not tried again") as string } },
        ],
      },
    ]);
  });
});

describe("[FAIL-8] a job whose first tasks all fail alike", () => {
  test("stops after sixteen of them, each tried once, when one client is all there is", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, range(1000));
    expect(failAll(h, client, job)).toBe(16);
    expect(ends(h)).toMatchObject([
      {
        job,
        reason: {
          kind: "quarantined",
          message: expect.stringMatching(
            /16 tasks failed alike on one client.*no particle 15.*failFast/,
          ) as string,
        },
      },
    ]);
  });

  test("does not stop by the word of one client while another is there, nor is that one given more", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ timeoutMs: 3_600_000 });
    const [broken, fine] = [h.join(1), h.join(1)];
    h.claim(job, range(1000));
    expect(failAll(h, broken, job)).toBe(16);
    expect(ends(h)).toEqual([]);
    // A long task of the other client is waited for, however long it takes.
    h.pass(3_000_000);
    expect(leasesIn(h.last)).toEqual([]);
    h.finish(fine, job, 1);
    expect(leasesIn(h.last).map(({ client }) => client)).toContain(fine);
    h.stored(job, [1]);
    expect(failAll(h, broken, job, { most: 40 })).toBe(40);
    expect(ends(h)).toEqual([]);
  });

  test("stops once a second client fails alike, and in other words", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const [first, second] = [h.join(1), h.join(1)];
    h.claim(job, range(1000));
    failAll(h, first, job);
    expect(ends(h)).toEqual([]);
    failAll(h, second, job, { most: 1 });
    expect(ends(h)).toMatchObject([{ reason: { message: expect.stringContaining("2 clients") as string } }]);
  });

  test("does not wait for ever for one that is there and does not begin", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const other = h.addJob({ priority: 5 });
    const busy = h.join(1);
    h.claim(other, range(2));
    expect(leasesIn(h.last)).toMatchObject([{ client: busy, job: other }]);
    h.feed({ type: "jobChanged", job: other, paused: true });
    const client = h.join(1);
    h.claim(job, range(1000));
    expect(failAll(h, client, job)).toBe(16);
    expect(ends(h)).toEqual([]);
    h.pass(61_000);
    failAll(h, client, job, { most: 1 });
    expect(ends(h)).toHaveLength(1);
  });

  test("does not stop while more tasks compute than have failed: bad inputs fail first", () => {
    const h = new SchedulerHarness({ speculate: false });
    const job = h.addJob({ maxAttempts: 1 });
    const clients = range(40).map(() => h.join(1));
    h.claim(job, range(1000));
    const failing = clients.slice(0, 2);
    for (let round = 0; round < 9; round++)
      for (const client of failing) failAll(h, client, job, { most: 1 });
    expect(ends(h)).toEqual([]);
    for (let round = 0; round < 20 && ends(h).length === 0; round++)
      for (const client of failing) if (ends(h).length === 0) failAll(h, client, job, { most: 1 });
    expect(ends(h)).toMatchObject([{ reason: { message: expect.stringContaining("39 tasks") as string } }]);
  });

  const never: [string, (h: SchedulerHarness, client: ClientId) => JobId, ((index: number) => string)?][] = [
    ["has done a task", (h) => h.addJob({ everDone: true })],
    ["is not to fail fast", (h) => h.addJob({ failFast: false })],
    ["fails in many ways", (h) => h.addJob(), (index) => `no ${"abcdefghij"[index % 10]!.repeat(3)}`],
  ];
  test.each(never)("never stops when it %s", (_, add, message = () => "boom") => {
    const h = new SchedulerHarness();
    const client = h.join(1);
    const job = add(h, client);
    h.claim(job, range(100));
    expect(failAll(h, client, job, { most: 75, message })).toBe(75);
    expect(ends(h)).toEqual([]);
  });

  test("goes on for good once a task is done, also while that is on its way to disk", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, range(1000));
    failAll(h, client, job, { most: 15 });
    h.finish(client, job, 15);
    expect(failAll(h, client, job, { most: 60 })).toBe(60);
    expect(ends(h)).toEqual([]);
  });

  test("that was requeued starts afresh, and stops again", () => {
    const h = new SchedulerHarness();
    const job = h.addJob();
    const client = h.join(1);
    h.claim(job, range(1000));
    failAll(h, client, job);
    h.feed({ type: "jobEnded", job });
    h.addJob({ id: job });
    h.claim(job, range(1000));
    expect(failAll(h, client, job)).toBe(16);
    expect(ends(h)).toHaveLength(1);
  });
});

describe("failures are alike", () => {
  test.each([
    ["Error: row 17 is broken", "Error: row 4 is broken"],
    ['cannot read "a.mrc"', 'cannot read "b/c.mrc"'],
    ["blob 0a1b2c3d4e5f6071 is gone", "blob ffffffff00000000 is gone"],
    ["x is -1.5e-7", "x is 3"],
  ])("when only inputs differ: %s", (a, b) => {
    expect(likenessOf({ kind: "error", message: a })).toBe(likenessOf({ kind: "error", message: b }));
  });

  test("but not when kind or words do", () => {
    const of = (kind: string, message: string) => likenessOf({ kind, message });
    expect(of("error", "boom")).not.toBe(of("timeout", "boom"));
    expect(of("error", "x is not defined")).not.toBe(of("error", "y is not defined"));
  });
});
