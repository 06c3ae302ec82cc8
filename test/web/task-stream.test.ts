import { describe, expect, test } from "vitest";
import type { JobId } from "../../shared/ids.ts";
import type { Attempts } from "../../shared/wire/attempts.ts";
import { Bars } from "../../web-client/admin/stream/bars.ts";
import { paint, pixelOf, type Paints } from "../../web-client/admin/stream/paint.ts";
import { advance, pan, scroll, ticksOf, zoom, type View } from "../../web-client/admin/stream/view.ts";

interface Given {
  client: number;
  slot: number;
  start: number;
  took: number;
  end?: number;
  job?: number;
}

/** A reply with these attempts, at a clock of 1,000. */
function reply(given: readonly Given[], running: Partial<Attempts["running"]> = {}): Attempts {
  const none = { jobs: [], clients: [], slots: [], indexes: [], agesMs: [], checks: [] };
  return {
    life: "a",
    next: given.length,
    left: 0,
    now: 1000,
    jobs: [0, 1].map((i) => ({ id: `j_${i}` as JobId, name: `job ${i}` })),
    clients: [0, 1].map((i) => ({ id: `c_${i}`, name: `client ${i}`, slots: 2 })),
    ended: {
      jobs: given.map(({ job = 0 }) => job),
      clients: given.map(({ client }) => client),
      slots: given.map(({ slot }) => slot),
      indexes: given.map((_, i) => i),
      counts: given.map(() => 1),
      agesMs: given.map(({ start }) => 1000 - start),
      tookMs: given.map(({ took }) => took),
      ends: given.map(({ end = 0 }) => end),
    },
    running: { ...none, ...running },
  };
}

describe("[STREAM-2] bars", () => {
  test("stand in a lane a slot, those of a client together, in order of their start", () => {
    const bars = new Bars();
    bars.add(
      reply([
        { client: 0, slot: 1, start: 300, took: 50 },
        { client: 1, slot: 0, start: 100, took: 50 },
        { client: 0, slot: 1, start: 200, took: 50 },
      ]),
    );
    expect(
      bars.lanes.map(({ client, slot, bars: list }) => [
        client.name,
        slot,
        list.map((bar) => bars.startedAt[bar]),
      ]),
    ).toEqual([
      ["client 0", 1, [200, 300]],
      ["client 1", 0, [100]],
    ]);
  });

  test("are the newest; a client without any is gone", () => {
    const bars = new Bars(10);
    bars.add(reply([{ client: 1, slot: 0, start: 0, took: 5 }]));
    bars.add(
      reply(Array.from({ length: 10 }, (_, i) => ({ client: 0, slot: i % 2, start: 10 * i, took: 5 }))),
    );
    expect(bars.size).toBe(10);
    expect(bars.lanes.map(({ client, slot }) => `${client.name} ${slot}`)).toEqual([
      "client 0 0",
      "client 0 1",
    ]);
    expect(bars.lanes.reduce((sum, lane) => sum + lane.bars.length, 0)).toBe(10);
  });

  test("are found by time, a short one within some pixels", () => {
    const bars = new Bars();
    bars.add(
      reply(
        [
          { client: 0, slot: 0, start: 100, took: 50, end: 9, job: 1 },
          { client: 0, slot: 0, start: 200, took: 1 },
        ],
        { jobs: [1], clients: [0], slots: [0], indexes: [7], agesMs: [400], checks: [0] },
      ),
    );
    const lane = bars.lanes[0]!;
    expect(bars.find(lane, 120, 0)).toMatchObject({
      index: 0,
      end: 1,
      isCheck: true,
      job: { name: "job 1" },
    });
    expect(bars.find(lane, 180, 5)).toBeUndefined();
    expect(bars.find(lane, 197, 5)).toMatchObject({ index: 1, tookMs: 1 });
    expect(bars.find(lane, 900, 5)).toMatchObject({ index: 7, end: undefined, startedAt: 600 });
  });
});

describe("[STREAM-2] the view", () => {
  const view: View = { from: 1000, to: 2000, top: 0, follows: false };
  test("zooms around a time, and keeps the present at the edge while it follows", () => {
    expect(zoom(view, 0.5, 1200)).toMatchObject({ from: 1100, to: 1600 });
    expect(zoom({ ...view, follows: true }, 0.5, 1200)).toMatchObject({
      from: 1500,
      to: 2000,
      follows: true,
    });
    expect(zoom(view, 1e-9, 1500).to - zoom(view, 1e-9, 1500).from).toBe(20);
  });
  test("moves up to the present, which it then follows", () => {
    expect(pan(view, -500, 2000)).toMatchObject({ from: 500, to: 1500, follows: false });
    expect(pan(view, 5000, 2100)).toMatchObject({ from: 1100, to: 2100, follows: true });
    expect(advance({ ...view, follows: true }, 2500)).toMatchObject({ from: 1500, to: 2500 });
    expect(advance(view, 2500)).toBe(view);
  });
  test("scrolls over lanes, within what there is", () => {
    expect([scroll(view, 50, 30).top, scroll(view, -5, 30).top, scroll(view, 5, -100).top]).toEqual([
      30, 0, 0,
    ]);
  });
  test("has an axis of round times", () => {
    expect(ticksOf(view, 5).map(({ at }) => at)).toEqual([1000, 1200, 1400, 1600, 1800, 2000]);
  });
});

describe("[STREAM-2] a picture", () => {
  const paints: Paints = { background: 1, band: 2, jobs: [10, 11], failed: 3, quiet: 4 };
  const draw = (bars: Bars, from: number, to: number, height = 2): number[][] => {
    const width = 10;
    const pixels = new Uint32Array(width * height);
    paint({ pixels, width, height }, bars, { from, to, top: 0, follows: false }, 1, 1000, paints);
    return Array.from({ length: height }, (_, y) => [...pixels.subarray(y * width, (y + 1) * width)]);
  };

  test("shows bars in the colours of their jobs, and gaps", () => {
    const bars = new Bars();
    bars.add(
      reply([
        { client: 0, slot: 0, start: 0, took: 30 },
        { client: 0, slot: 0, start: 50, took: 20, job: 1 },
        { client: 1, slot: 0, start: 90, took: 10 },
      ]),
    );
    expect(draw(bars, 0, 100)).toEqual([
      [10, 10, 10, 1, 1, 11, 11, 1, 1, 1],
      [2, 2, 2, 2, 2, 2, 2, 2, 2, 10],
    ]);
  });

  test("shows a failure among many attempts that share a pixel", () => {
    const bars = new Bars();
    const many = Array.from({ length: 100 }, (_, i) => ({
      client: 0,
      slot: 0,
      start: i,
      took: 0.5,
      end: i === 52 ? 1 : 0,
    }));
    bars.add(reply(many));
    expect(draw(bars, 0, 100, 1)[0]).toEqual([10, 10, 10, 10, 10, 3, 10, 10, 10, 10]);
  });

  test("shows an attempt that runs up to now, a gap of a pixel behind it", () => {
    const bars = new Bars();
    bars.add(reply([], { jobs: [1], clients: [0], slots: [0], indexes: [7], agesMs: [500], checks: [0] }));
    expect(draw(bars, 400, 1400, 1)[0]).toEqual([1, 11, 11, 11, 11, 1, 1, 1, 1, 1]);
  });

  test("has pixels of hexadecimal colours", () => expect(pixelOf("#d6372c").toString(16)).toBe("ff2c37d6"));
});
