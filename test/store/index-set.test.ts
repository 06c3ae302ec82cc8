import { describe, expect, it } from "vitest";
import { decodeRuns, encodeRuns } from "../../server/store/sql/index-runs.ts";
import { IndexSet } from "../../server/store/sql/index-set.ts";
import { VarintReader, VarintWriter } from "../../server/store/sql/varint.ts";
import { seededRandom } from "../../shared/random.ts";

describe("a set of task indexes", () => {
  it.each(["1", "2", "3"])("is a Set, whatever is done to it, and after it was saved: seed %s", (seed) => {
    const random = seededRandom(`index set ${seed}`);
    const pick = (below: number) => Math.floor(random() * below);
    const near = () => pick(4) * 512 + pick(512) - 3;
    const anyIndex = () => (pick(8) === 0 ? 2 ** 40 + pick(2000) : near());
    let set = new IndexSet();
    const model = new Set<number>();
    for (let round = 0; round < 20_000; round++) {
      const index = anyIndex();
      const dice = pick(100);
      if (dice < 60) {
        expect(set.add(index)).toBe(!model.has(index));
        model.add(index);
      } else if (dice < 90) expect(set.delete(index)).toBe(model.delete(index));
      else if (dice < 92) {
        const count = pick(1500);
        set.addRange(index, count);
        for (let at = index; at < index + count; at++) model.add(at);
      } else if (dice < 93) set = IndexSet.decode(set.encode());
      expect(set.has(index)).toBe(model.has(index));
      if (dice < 95) continue;
      let missing = index;
      while (model.has(missing)) missing++;
      expect(set.nextMissing(index, index + 3000)).toBe(Math.min(missing, index + 3000));
      expect(set.lowest()).toBe(Math.min(...model));
    }
    for (let index = -3; index < 4 * 512; index++) expect(set.has(index)).toBe(model.has(index));
  });

  it("holds 10^6 indexes in few pages, and saves them in few bytes", () => {
    const set = new IndexSet();
    const all = 1_000_000;
    for (let index = 0; index < all; index++) if (index !== 5) set.add(index);
    expect(set.pages).toBeLessThan(2000);
    expect(set.encode().length).toBeLessThan(200);
    expect(set.nextMissing(0, 2 * all)).toBe(5);
    expect(set.nextMissing(6, 2 * all)).toBe(all);
  });

  it("of nothing has no lowest index", () => {
    const set = new IndexSet();
    set.add(700);
    set.delete(700);
    expect([set.lowest(), set.pages, set.encode().length]).toEqual([Infinity, 0, 0]);
  });
});

describe("indexes in the order in which they ended", () => {
  it.each<[string, number[]]>([
    ["one", [7]],
    ["one run", [5, 6, 7, 8]],
    ["runs with gaps", [0, 1, 2, 9, 10, 2 ** 40]],
    ["downwards", [9, 8, 7, 3, 0]],
    ["any order", [500, 3, 4, 5, 499, 501, 1]],
  ])("come back as they were: %s", (_, indexes) => {
    expect(decodeRuns(indexes[0]!, indexes.length, encodeRuns(indexes))).toEqual(indexes);
  });

  it("need no bytes for one run, and two a further run of nearby ones", () => {
    expect(encodeRuns([5, 6, 7, 8])).toBeNull();
    expect(encodeRuns([5, 6, 20, 21, 30])).toHaveLength(5);
  });
});

it("varints hold every whole number that a double does", () => {
  const values = [0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 + 5, 2 ** 40, Number.MAX_SAFE_INTEGER];
  const writer = new VarintWriter();
  for (const value of values) writer.unsigned(value);
  for (const value of [0, -1, 1, -64, 64, -(2 ** 40), 2 ** 40]) writer.signed(value);
  const reader = new VarintReader(writer.finish());
  expect(values.map(() => reader.unsigned())).toEqual(values);
  expect(Array.from({ length: 7 }, () => reader.signed())).toEqual([0, -1, 1, -64, 64, -(2 ** 40), 2 ** 40]);
  expect(reader.done).toBe(true);
});
