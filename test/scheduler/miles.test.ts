import { describe, expect, test } from "vitest";
import { leasesIn, SchedulerHarness } from "../support/scheduler-harness.ts";

const input = new Uint8Array(100_000);
const indexes = Array.from({ length: 20 }, (_, index) => index);

describe("[MILES-1] leases as the network takes their bytes", () => {
  test("a client is given 256 KiB of inputs and one input more, and further ones as their bytes leave", () => {
    const h = new SchedulerHarness();
    const client = h.join(20, { paced: true });
    h.claim(h.addJob(), indexes, { input });
    expect(leasesIn(h.last)).toHaveLength(3);
    h.feed({ type: "clientRead", client, bytes: 100_000 });
    expect(leasesIn(h.last)).toHaveLength(1);
    h.feed({ type: "clientRead", client, bytes: 300_000 });
    expect(leasesIn(h.last)).toHaveLength(3);
  });

  test("a connection that does not tell what was read gets what its client asks for", () => {
    const h = new SchedulerHarness();
    h.join(20);
    h.claim(h.addJob(), indexes, { input });
    expect(leasesIn(h.last)).toHaveLength(20);
  });

  test("a new connection begins with nothing on its way", () => {
    const h = new SchedulerHarness();
    const client = h.join(20, { paced: true });
    h.claim(h.addJob(), indexes, { input });
    h.feed({ type: "clientVanished", client });
    h.join(20, { paced: true, id: client });
    expect(leasesIn(h.last)).toHaveLength(3);
  });

  test("a stranger whose network takes bytes is not silent", () => {
    const h = new SchedulerHarness();
    const job = h.addJob({ verify: "off" });
    const first = h.join(1);
    h.claim(job, [100]);
    h.finish(first, job, 100);
    h.want(first, 0);
    const client = h.join(20, { paced: true, trusted: false, slots: 4 });
    h.claim(job, indexes, { input });
    const overdue = (): number => h.scheduler.state.jobs.get(job)!.overdue.size;
    for (let second = 0; second < 10; second++) {
      h.pass(500);
      h.feed({ type: "clientRead", client, bytes: 4000 });
      expect(overdue()).toBe(0);
    }
    h.pass(10_000);
    expect(overdue()).toBeGreaterThan(0);
  });
});
