import { describe, expect, test } from "vitest";
import { SchedulerHarness } from "../support/scheduler-harness.ts";

/**
 * Lets one client of one slot work for a while at two customers' jobs, which outlast it. Returns the time computed
 * for each.
 */
function computedMs(
  taskMs: { ada: number; bob: number },
  weightOf: (customer: string) => number = () => 1,
): { ada: number; bob: number } {
  const h = new SchedulerHarness({ weightOf });
  const indexes = [...Array(400).keys()];
  for (const customer of ["ada", "bob"] as const) h.claim(h.addJob({ customer }), indexes);
  const client = h.join(1);
  const sum = { ada: 0, bob: 0 };
  const until = h.now + 20_000;
  while (h.now < until) {
    const [lease] = [...h.scheduler.client(client)!.leases];
    const { job, index } = lease!.task;
    const customer = job.info.customer as "ada" | "bob";
    h.now += taskMs[customer];
    sum[customer] += taskMs[customer];
    const outcome = { state: "done" as const, output: new Uint8Array([1]) };
    const result = { index, attempt: lease!.attempt, elapsedMs: taskMs[customer], outcome };
    h.feed({ type: "resultsReceived", client, job: job.id, results: [result] });
    h.stored(job.id, [index]);
  }
  return sum;
}

describe("[FLOW-3] customers share measured run time", () => {
  test("one with long tasks and one with short ones get the same time, not the same number of tasks", () => {
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
