import { afterEach, expect, test, vi } from "vitest";
import { AwakeClock } from "../../server/dispatch/awake-clock.ts";
import type { ClientRegistry } from "../../server/dispatch/client-registry.ts";
import { JobWatch } from "../../server/dispatch/job-watch.ts";
import { News } from "../../server/dispatch/news.ts";
import { Tally } from "../../server/dispatch/tally.ts";
import type { JobRow } from "../../server/store/store.ts";
import type { JobId } from "../../shared/ids.ts";
import { newJob } from "../contract/store-fixtures.ts";

afterEach(() => vi.restoreAllMocks());

test("[LEASE-7] time in which the server's machine slept is no time for leases and grace", () => {
  let now = 1000;
  const clock = new AwakeClock(() => now);
  const readings = [1000, 4000, 3_604_000, 1000].map((ms) => {
    now += ms;
    return clock.now();
  });
  expect(readings).toEqual([2000, 6000, 6000, 7000]);
});

test.each([-3_600_000, 3_600_000])("a wall clock that steps by %d ms changes no rate", (stepMs) => {
  let seconds = 0;
  vi.spyOn(performance, "now").mockImplementation(() => seconds * 1000);
  vi.spyOn(Date, "now").mockImplementation(() => 1e12 + seconds * 1000 + (seconds < 30 ? 0 : stepMs));
  const tally = new Tally({ count: () => undefined } as unknown as ClientRegistry);
  const watch = new JobWatch(new News());
  const id = "j_aaaaaaaaaaaaaaaa" as JobId;
  const row = { ...newJob({ id }), state: "closed" } as JobRow;
  const outcomes = Array.from({ length: 10 }, (_, index) => ({ index, state: "done" as const }));
  for (; seconds < 200; seconds++) {
    tally.add(
      outcomes,
      outcomes.map(({ index }) => index),
      [],
    );
    watch.update(row, outcomes.length);
  }
  for (const rate of [tally.rate(), watch.rate(id)]) {
    expect(rate).toBeGreaterThan(9);
    expect(rate).toBeLessThan(11);
  }
});
