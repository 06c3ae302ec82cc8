import { describe, expect, test } from "vitest";
import { boundedMs } from "../../server/scheduler/usual-time.ts";
import { SchedulerHarness } from "../support/scheduler-harness.ts";

/**
 * Lets one client of one slot work for 50 tasks' time or more at two customers' jobs, which outlast it. Returns the time computed for
 * each. The client may report other times than it computed.
 */
function computedMs(
  taskMs: { ada: number; bob: number },
  weightOf: (customer: string) => number = () => 1,
  reportedMs = taskMs,
): { ada: number; bob: number } {
  const h = new SchedulerHarness({ weightOf });
  const indexes = [...Array(400).keys()];
  for (const customer of ["ada", "bob"] as const) h.claim(h.addJob({ customer }), indexes);
  const client = h.join(1);
  const sum = { ada: 0, bob: 0 };
  const until = h.now + Math.max(20_000, 50 * taskMs.ada);
  while (h.now < until) {
    const [lease] = [...h.scheduler.client(client)!.leases];
    const { job, index } = lease!.task;
    const customer = job.info.customer as "ada" | "bob";
    h.now += taskMs[customer];
    sum[customer] += taskMs[customer];
    const outcome = { state: "done" as const, output: new Uint8Array([1]) };
    const result = { index, attempt: lease!.attempt, elapsedMs: reportedMs[customer], outcome };
    h.feed({ type: "resultsReceived", client, job: job.id, results: [result] });
    h.stored(job.id, [index]);
  }
  return sum;
}

describe("[FLOW-3] customers share measured run time", () => {
  test("a customer with long tasks and one with short tasks get the same time, not the same number of tasks", () => {
    const { ada, bob } = computedMs({ ada: 400, bob: 40 });
    expect(ada / bob).toBeGreaterThan(0.9);
    expect(ada / bob).toBeLessThan(1.1);
  });

  test("a weight is a share of the time", () => {
    const { ada, bob } = computedMs({ ada: 100, bob: 30 }, (customer) => (customer === "ada" ? 3 : 1));
    expect(ada / bob).toBeGreaterThan(2.7);
    expect(ada / bob).toBeLessThan(3.3);
  });
});

describe("[KERNEL-8] a client that reports other run times than it computed", () => {
  const fair = () => 1;
  const taskMs = { ada: 20_000, bob: 20_000 };

  test("too little: its customer gets twice its share at most, and not everything", () => {
    const { ada, bob } = computedMs(taskMs, fair, { ada: 0, bob: 20_000 });
    expect(ada / bob).toBeLessThan(2.5);
  });

  test("too much: a customer is charged the time since the lease at most", () => {
    const { ada, bob } = computedMs(taskMs, fair, { ada: 1e9, bob: 20_000 });
    expect(ada / bob).toBeGreaterThan(0.8);
  });

  test("within the bounds of the server's clock it is believed", () => {
    expect(boundedMs(7_000, 10_000, 0)).toBe(7_000);
    expect(boundedMs(1, 10_000, 0)).toBe(4_500);
    // The task waited for two others in the same slot.
    expect(boundedMs(1, 10_000, 2)).toBe(1_500);
    // The journey of a tiny task may take longer than the task.
    expect(boundedMs(1, 900, 0)).toBe(1);
    expect(boundedMs(1e9, 900, 0)).toBe(900);
  });
});
