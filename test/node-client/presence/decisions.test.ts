import { describe, expect, it } from "vitest";
import { defaultIdleRules, isInUse, OwnLoad } from "../../../node-client/presence/idle.ts";
import { GoneWatch } from "../../../node-client/presence/server-gone.ts";
import { nextTimeOfDay, parseTimeOfDay } from "../../../node-client/presence/until.ts";

const rules = { ...defaultIdleRules, cores: 8 };
const free = { load: 0, inputIdleMs: 3_600_000 };

describe("--idle-only", () => {
  it("sees a person at the keyboard, also when nothing runs", () => {
    expect(isInUse({ ...free, inputIdleMs: 20_000 }, 0, false, rules)).toEqual({
      inUse: true,
      reason: "somebody used it 20 s ago",
    });
    expect(isInUse({ ...free, inputIdleMs: 300_000 }, 0, false, rules).inUse).toBe(false);
  });

  it("goes by the load alone where nothing tells of people", () => {
    expect(isInUse({ load: 0.5, inputIdleMs: undefined }, 0, false, rules).inUse).toBe(false);
    expect(isInUse({ load: 3, inputIdleMs: undefined }, 0, false, rules)).toEqual({
      inUse: true,
      reason: "other programs have a load of 3.0",
    });
    expect(isInUse({ load: undefined, inputIdleMs: undefined }, 0, false, rules).inUse).toBe(false);
  });

  it("takes its own kernels for nobody else's work", () => {
    expect(isInUse({ ...free, load: 8.3 }, 8, false, rules).inUse).toBe(false);
    expect(isInUse({ ...free, load: 11 }, 8, false, rules).inUse).toBe(true);
  });

  it("does not swing: it goes on only when the load is well below where it stopped", () => {
    const between = { ...free, load: 8 * 0.2 };
    expect(isInUse(between, 0, false, rules).inUse).toBe(false);
    expect(isInUse(between, 0, true, rules).inUse).toBe(true);
    expect(isInUse({ ...free, load: 1 }, 0, true, rules).inUse).toBe(false);
  });

  it("does not stop itself: its own past stays its own while the load average forgets it", () => {
    // The load average as the system's kernel computes it: exponential with one minute, here of this client's kernels alone.
    const own = new OwnLoad(0);
    let kernels = 0;
    let load = 0;
    let paused = false;
    for (let now = 5_000; now < 1_800_000; now += 5_000) {
      kernels = now < 600_000 || now > 900_000 ? 8 : 0;
      load = kernels + (load - kernels) * Math.exp(-5 / 60);
      ({ inUse: paused } = isInUse(
        { load, inputIdleMs: undefined },
        own.update(kernels, now),
        paused,
        rules,
      ));
      expect(paused).toBe(false);
    }
  });
});

describe("--until", () => {
  it("is the next time that clocks show it", () => {
    const evening = new Date(2026, 10, 24, 22, 30);
    expect(nextTimeOfDay(parseTimeOfDay("07:00")!, evening)).toEqual(new Date(2026, 10, 25, 7, 0));
    expect(nextTimeOfDay(parseTimeOfDay("23:15")!, evening)).toEqual(new Date(2026, 10, 24, 23, 15));
    expect(nextTimeOfDay(parseTimeOfDay("22:30")!, evening)).toEqual(new Date(2026, 10, 25, 22, 30));
    // The range includes the end of a month, and of daylight saving in many places.
    expect(nextTimeOfDay(parseTimeOfDay("7:00")!, new Date(2026, 9, 31, 8))).toEqual(
      new Date(2026, 10, 1, 7),
    );
  });

  it("is a time of day and nothing else", () => {
    expect(["24:00", "7", "07:60", "-1:00", "07:00:00", ""].map(parseTimeOfDay)).toEqual(
      Array.from({ length: 6 }),
    );
  });
});

describe("--exit-when-server-gone", () => {
  const waiting = (reason: string) => ({ connection: { state: "waiting", reason, retryAt: 0 } }) as const;
  const connected = { connection: { state: "connected" } } as const;

  it("counts from the moment that nobody listens", () => {
    const watch = new GoneWatch(10_000, 0);
    watch.statusChanged(connected, 1_000);
    expect(watch.isGone(1e9)).toBe(false);
    watch.statusChanged(waiting("connect ECONNREFUSED 10.0.0.1:9990"), 50_000);
    watch.statusChanged({ connection: { state: "connecting" } }, 55_000);
    watch.statusChanged(waiting("connect ECONNREFUSED 10.0.0.1:9990"), 55_001);
    expect(watch.isGone(59_999)).toBe(false);
    expect(watch.isGone(60_000)).toBe(true);
  });

  it("gives a server that is silent ten times as long", () => {
    const watch = new GoneWatch(10_000, 0);
    watch.statusChanged(connected, 1_000);
    watch.statusChanged(waiting("the connection was closed"), 2_000);
    expect(watch.isGone(101_999)).toBe(false);
    expect(watch.isGone(102_000)).toBe(true);
  });

  it("forgets when the server is back, and counts from the start when it never was", () => {
    const watch = new GoneWatch(10_000, 0);
    expect(watch.isGone(99_999)).toBe(false);
    expect(watch.isGone(100_000)).toBe(true);
    watch.statusChanged(waiting("connect ECONNREFUSED"), 1_000);
    watch.statusChanged(connected, 2_000);
    expect(watch.isGone(1e9)).toBe(false);
  });
});
