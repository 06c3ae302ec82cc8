import { expect, it } from "vitest";
import { Pacing } from "../../server/store/sql/pacing.ts";

/** Commits one verb after the other, `everyMs` apart; in a pause, `arrivals` verbs come with each tick. Counts the pauses. */
function run(
  pacing: Pacing,
  transactions: number,
  everyMs: number,
  arrivals: number,
): { paused: number; ms: number } {
  let now = 0;
  let paused = 0;
  for (let n = 0; n < transactions; n++) {
    let rows = 12;
    if (pacing.shouldPause(now, rows)) {
      paused++;
      do {
        now++;
        rows += 12 * arrivals;
      } while (pacing.shouldGoOn(now, arrivals, rows));
    }
    now += 0.2;
    pacing.ended(now);
    now += everyMs;
  }
  return { paused, ms: now };
}

it("never lets a verb wait on a server with time to spare", () => {
  expect(run(new Pacing(), 1000, 3, 0).paused).toBe(0);
  expect(run(new Pacing(), 1000, 3, 9).paused).toBe(0);
});

it("pauses before every transaction while verbs keep coming, for a few ms", () => {
  const { paused, ms } = run(new Pacing(), 1000, 0, 4);
  expect(paused).toBe(999);
  expect(ms / 1000).toBeCloseTo(3.2, 1);
});

it("stops for a caller that waits for each answer, and tries again now and then", () => {
  const pacing = new Pacing();
  expect(run(pacing, 512, 0.1, 0).paused).toBeLessThan(11);
  expect(run(pacing, 2570, 0.1, 0).paused).toBeLessThan(12);
  // New callers have come meanwhile, which the pacing finds out within 256 commits.
  expect(run(pacing, 1256, 0, 4).paused).toBeGreaterThan(990);
});

it("does not pause for a verb that is worth a commit, and ends a pause that has enough", () => {
  const pacing = new Pacing();
  pacing.ended(0);
  expect(pacing.shouldPause(0.1, 500)).toBe(false);
  expect(pacing.shouldPause(0.1, 12)).toBe(true);
  expect(pacing.shouldGoOn(1.1, 3, 100)).toBe(true);
  expect(pacing.shouldGoOn(2.1, 9, 400)).toBe(false);
});
