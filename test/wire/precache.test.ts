import { describe, expect, test } from "vitest";
import { DataReference, type DataReferenceShape } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { precacheBytes, precacheItems } from "../../shared/wire/precache.ts";

const { chunkBytes, wholeBytes } = limits;
const [a, b] = ["a".repeat(64) as Sha256, "b".repeat(64) as Sha256];
const large = 400 * chunkBytes + 5;

describe("precache items of references", () => {
  test("a blob once; of a small one any part stands for all", () => {
    const small = new DataReference(a, wholeBytes);
    const items = precacheItems([small.slice(3, 4), small, small.slice(0, 9)].map((ref) => ref.toJSON()));
    expect(items).toEqual([{ sha256: a, size: wholeBytes }]);
    expect(precacheBytes(items[0]!)).toBe(wholeBytes);
  });

  test("ranges of a large one in whole chunks, overlaps and neighbours merged, the last chunk shorter", () => {
    const stack = new DataReference(a, large);
    const refs = [
      stack.slice(chunkBytes + 1, chunkBytes + 2),
      stack.slice(large - 1, large),
      stack.slice(5 * chunkBytes, 6 * chunkBytes),
      stack.slice(0, chunkBytes + 7),
      stack.slice(50, 50),
    ];
    const items = precacheItems(refs.map((ref) => ref.toJSON()));
    const ranges = [
      [0, 2 * chunkBytes],
      [5 * chunkBytes, 6 * chunkBytes],
      [400 * chunkBytes, large],
    ];
    expect(items).toEqual([{ sha256: a, size: large, ranges }]);
    expect(precacheBytes(items[0]!)).toBe(3 * chunkBytes + 5);
  });

  test("the whole of a large one takes its ranges in; nothing asks for nothing", () => {
    const whole: DataReferenceShape = { sha256: a, size: large };
    expect(precacheItems([{ ...whole, range: [5, 6] }, whole])).toEqual([whole]);
    expect(precacheItems([{ ...whole, range: [0, large] }])).toEqual([whole]);
    expect(precacheItems([{ sha256: b, size: large, range: [7, 7] }])).toEqual([]);
  });
});
