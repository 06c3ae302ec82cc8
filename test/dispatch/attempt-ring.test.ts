import { describe, expect, test } from "vitest";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { attemptsPerReply, type Attempts } from "../../shared/wire/attempts.ts";
import { AttemptRing } from "../../server/dispatch/attempts/attempt-ring.ts";

const client = "c_one" as ClientId;
const job = { id: "j_one" as JobId, name: "blur" };
const names = { name: (id: ClientId) => `name of ${id}` };

/** Records the results of one message: pairs of index and run time. */
function tell(
  ring: AttemptRing,
  now: number,
  results: readonly (readonly [number, number])[],
  slots = 1,
): void {
  ring.begin(client, names, slots, job, now);
  for (const [index, ms] of results) ring.ended(index, ms, "done", false);
  ring.end();
}

function bars({ ended }: Attempts, now: number): [slot: number, start: number, end: number, count: number][] {
  return ended.slots.map((slot, i) => {
    const start = now - ended.agesMs[i]!;
    return [slot, start, start + ended.tookMs[i]!, ended.counts[i]!];
  });
}

describe("[STREAM-1] the ring of attempts", () => {
  test("keeps the newest, and gives what is new to a reader of this life", () => {
    const ring = new AttemptRing(100);
    for (let i = 0; i < 150; i++) tell(ring, 1000 * (i + 1), [[i, 900]]);
    const all = ring.read(undefined, 0, [], 200_000);
    expect(all.ended.indexes).toEqual(Array.from({ length: 100 }, (_, i) => i + 50));
    expect(all).toMatchObject({
      next: 150,
      left: 0,
      jobs: [job],
      clients: [{ id: client, name: "name of c_one" }],
    });
    expect(ring.read(all.life, 150, [], 200_000).ended.indexes).toEqual([]);
    tell(ring, 151_000, [[777, 900]]);
    expect(ring.read(all.life, 150, [], 200_000).ended.indexes).toEqual([777]);
    expect(ring.read("another life", 150, [], 200_000).ended.indexes).toHaveLength(100);
  });

  test("gives a reader that begins as much as one reply may hold at a time", () => {
    const ring = new AttemptRing();
    for (let i = 0; i < attemptsPerReply + 5; i++) tell(ring, 100 * i, [[i, 50]]);
    const first = ring.read(undefined, 0, [], 0);
    expect([first.ended.jobs.length, first.next, first.left]).toEqual([
      attemptsPerReply,
      attemptsPerReply,
      5,
    ]);
    expect(ring.read(first.life, first.next, [], 0).ended.jobs).toHaveLength(5);
  });

  test("attempts of one slot never overlap, those of several slots use several", () => {
    const ring = new AttemptRing();
    // Two slots, whose tasks end in turns; and then both in one message.
    tell(ring, 1_000, [[0, 900]], 2);
    tell(ring, 1_500, [[1, 1_400]], 2);
    tell(ring, 2_000, [[2, 990]], 2);
    tell(
      ring,
      3_000,
      [
        [3, 990],
        [4, 1_490],
      ],
      2,
    );
    expect(bars(ring.read(undefined, 0, [], 3_000), 3_000)).toEqual([
      [0, 100, 1_000, 1],
      [1, 100, 1_500, 1],
      [0, 1_010, 2_000, 1],
      [0, 2_010, 3_000, 1],
      [1, 1_510, 3_000, 1],
    ]);
  });

  test("tasks of one slot that are told together stand one behind the other", () => {
    const ring = new AttemptRing();
    tell(
      ring,
      1_000,
      [
        [2, 100],
        [1, 100],
        [0, 100],
      ],
      4,
    );
    expect(bars(ring.read(undefined, 0, [], 1_000), 1_000)).toEqual([
      [0, 900, 1_000, 1],
      [0, 800, 900, 1],
      [0, 700, 800, 1],
    ]);
  });

  test("tiny tasks that are told together are one bar of each slot that they kept busy", () => {
    const ring = new AttemptRing();
    const tiny = (from: number, count: number, ms: number) =>
      Array.from({ length: count }, (_, i) => [from + i, ms] as const);
    tell(ring, 1_000, tiny(0, 50, 2));
    expect(bars(ring.read(undefined, 0, [], 1_000), 1_000)).toEqual([[0, 900, 1_000, 50]]);
    const other = new AttemptRing();
    tell(other, 1_000, [[0, 900]], 2);
    tell(other, 1_000, [[1, 900]], 2);
    tell(other, 1_100, tiny(10, 100, 2), 2);
    expect(
      bars(other.read(undefined, 0, [], 1_100), 1_100)
        .slice(2)
        .toSorted(([a], [b]) => a - b),
    ).toEqual([
      [0, 1_000, 1_100, 50],
      [1, 1_000, 1_100, 50],
    ]);
  });

  test("a failure and a check are never in a bundle", () => {
    const ring = new AttemptRing();
    ring.begin(client, names, 1, job, 100);
    ring.ended(3, 1, "done", false);
    ring.ended(2, 1, "failed", false);
    ring.ended(1, 1, "done", true);
    ring.end();
    const { ended } = ring.read(undefined, 0, [], 100);
    expect(ended.ends).toEqual([1, 8, 0]);
  });

  test("of a client that leaves with a long queue, only what can have run is an attempt", () => {
    const ring = new AttemptRing();
    for (let index = 0; index < 10; index++)
      ring.unfinished({ job, client, index, leasedAt: 500, isCheck: false }, names, 2, "lost", 1_000);
    expect(ring.read(undefined, 0, [], 1_000).ended).toMatchObject({
      indexes: [0, 1],
      slots: [0, 1],
      ends: [2, 2],
    });
  });

  test("what runs stands in slots of its own, from when its slot was idle", () => {
    const ring = new AttemptRing();
    tell(ring, 1_000, [[0, 900]], 2);
    const running = [1, 2, 3].map((index) => ({ job, client, index, leasedAt: 200, isCheck: false }));
    const read = ring.read(undefined, 0, running, 1_500).running;
    expect(read).toMatchObject({ indexes: [1, 2], slots: [1, 0], agesMs: [1_300, 500] });
  });
});
