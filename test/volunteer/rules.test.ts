import { describe, expect, it } from "vitest";
import { forever } from "../../web-client/volunteer/forever.ts";
import { keptRules, readRules, tomorrow, whyHeld } from "../../web-client/volunteer/more/gate.ts";
import { lastDays, noHistory, readHistory, withWork } from "../../web-client/volunteer/more/history.ts";
import { Meter } from "../../web-client/volunteer/more/meter.ts";
import {
  always,
  isWithin,
  nextWithin,
  readSchedule,
  withHour,
} from "../../web-client/volunteer/more/schedule.ts";
import { readShown } from "../../web-client/volunteer/more/shown.ts";

/** Sunday, 12:30 local time. */
const noon = new Date(2026, 10, 29, 12, 30);
const nights = [0, 1, 2, 3, 4, 5, 6].map(() =>
  [18, 19, 20, 21, 22, 23].reduce((mask, hour) => mask | (1 << hour), 0),
);

describe("[VOLUNTEER-4] the hours of the week", () => {
  it("begin on Monday, and say when the page computes again", () => {
    expect(isWithin(always, noon)).toBe(true);
    expect(isWithin(nights, noon)).toBe(false);
    expect(nextWithin(nights, noon)).toEqual(new Date(2026, 10, 29, 18));
    const weekdays = nights.map((mask, day) => (day < 5 ? mask : 0));
    expect(nextWithin(weekdays, noon)).toEqual(new Date(2026, 10, 30, 18));
    expect(
      nextWithin(
        always.map(() => 0),
        noon,
      ),
    ).toBeUndefined();
    const without = withHour(always, 6, 12, false);
    expect(isWithin(without, noon)).toBe(false);
    expect(nextWithin(without, noon)).toEqual(new Date(2026, 10, 29, 13));
    expect(withHour(without, 6, 12, true)).toEqual(always);
  });

  it.each([
    undefined,
    null,
    "x",
    [1],
    [0, 0, 0, 0, 0, 0, -1],
    [0, 0, 0, 0, 0, 0, 2 ** 24],
    [0, 0, 0, 0, 0, 0, 0.5],
  ])("kept as %j are none", (raw) => expect(readSchedule(raw)).toBeUndefined());
});

describe("[VOLUNTEER-4] the reason why nothing is computed", () => {
  const at = (settings: Parameters<typeof whyHeld>[0], machine = {}) => whyHeld(settings, machine, noon);

  it("is the pause before everything else, until it ends", () => {
    const soon = noon.getTime() + 1;
    expect(at({ pausedUntil: soon, rules: { schedule: nights } })).toEqual({
      why: "paused",
      until: new Date(soon),
    });
    expect(at({ pausedUntil: noon.getTime() })).toBeUndefined();
    expect(at({ pausedUntil: forever })).toEqual({ why: "paused", until: undefined });
    expect(tomorrow(noon)).toEqual(new Date(2026, 10, 30, 6));
  });

  it("is an hour, the battery, or a person", () => {
    expect(at({ pausedUntil: 0, rules: { schedule: nights } })).toMatchObject({ why: "schedule" });
    const rules = { mains: true, idle: true };
    expect(at({ pausedUntil: 0, rules }, { onBattery: true })).toEqual({ why: "battery" });
    expect(at({ pausedUntil: 0, rules }, { inUse: true })).toEqual({ why: "busy" });
    // What the browser does not tell holds nothing.
    expect(at({ pausedUntil: 0, rules })).toBeUndefined();
    expect(at({ pausedUntil: 0 }, { onBattery: true, inUse: true })).toBeUndefined();
  });

  it("does not come of rules that are none", () => {
    expect(keptRules(readRules("nonsense"))).toBeUndefined();
    expect(keptRules(readRules({ mains: true, schedule: "x" }))).toEqual({ mains: true });
  });
});

describe("[VOLUNTEER-3] the measured share of the processor", () => {
  it("is the time computed of the last minute, also when the number of slots changes", () => {
    const meter = new Meter();
    expect(meter.share).toBeUndefined();
    for (let second = 0; second <= 200; second++) meter.note(second * 1000, second * 500, 1);
    expect(meter.share).toBeCloseTo(0.5);
    for (let second = 1; second <= 100; second++)
      meter.note(200_000 + second * 1000, 100_000 + second * 1600, 2);
    expect(meter.share).toBeCloseTo(0.8);
    meter.note(301_000, 0, 2);
    expect(meter.share).toBeUndefined();
  });
});

describe("[VOLUNTEER-5] the history", () => {
  it("adds work to its day and to all, and keeps thirty days", () => {
    let history = noHistory;
    for (let day = 1; day <= 40; day++)
      history = withWork(history, { tasks: 1, busyMs: 10 }, new Date(2026, 9, day, 23, 59));
    expect(Object.keys(history.days)).toHaveLength(30);
    expect(history.all).toEqual({ tasks: 40, busyMs: 400 });
    const days = lastDays(history, new Date(2026, 9, 41));
    expect(days).toHaveLength(30);
    expect(days.at(-1)!.work).toEqual({ tasks: 0, busyMs: 0 });
    expect(days.at(-2)!.work).toEqual({ tasks: 1, busyMs: 10 });
    expect(readHistory(JSON.parse(JSON.stringify(history)))).toEqual(history);
  });

  it.each([undefined, 7, { days: { x: 1 }, all: -1 }, { days: null, all: { tasks: "x" } }])(
    "of %j is none",
    (raw) => expect(readHistory(raw)).toEqual(noHistory),
  );
});

describe("[VOLUNTEER-7] what a sandbox says that a kernel shows", () => {
  const png = (width: number, height: number): Uint8Array => {
    const bytes = new Uint8Array(64);
    bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    new DataView(bytes.buffer).setUint32(16, width);
    new DataView(bytes.buffer).setUint32(20, height);
    return bytes;
  };

  it("is a short text, a small PNG or few pixels", () => {
    expect(readShown({ value: "x".repeat(9_999) })).toEqual({ kind: "text", text: "x".repeat(500) });
    expect(readShown({ value: png(1024, 1) })).toMatchObject({ kind: "png" });
    expect(readShown({ value: { width: 2, height: 1, data: new Uint8Array(8) } })).toMatchObject({
      kind: "pixels",
      width: 2,
    });
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a number", { value: 7 }],
    ["a PNG of gigabytes", { value: png(65_535, 65_535) }],
    ["a PNG without a size", { value: png(0, 0) }],
    ["another file", { value: new Uint8Array(64) }],
    ["many bytes", { value: new Uint8Array(200_000) }],
    ["too few pixels", { value: { width: 2, height: 2, data: new Uint8Array(8) } }],
    ["too many pixels", { value: { width: 257, height: 1, data: new Uint8Array(1028) } }],
    ["a side that is none", { value: { width: 0.5, height: 2, data: new Uint8Array(4) } }],
  ])("is dropped: %s", (_what, raw) => expect(readShown(raw)).toBeUndefined());
});
