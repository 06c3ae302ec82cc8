import { describe, expect, test } from "vitest";
import { Flattened } from "../../customer/flattened.ts";

/** A source of given batches, with a record of its use. */
function source(batches: Iterable<number>[]) {
  const seen = { taken: 0, closed: false };
  const generator = (async function* () {
    try {
      for (const batch of batches) {
        seen.taken++;
        yield batch;
      }
    } finally {
      seen.closed = true;
    }
  })();
  return { seen, items: new Flattened(generator) };
}

function* failing(): Generator<number> {
  yield 1;
  throw new Error("as asked");
}

describe("items of batches", () => {
  test("come in order, over empty batches, and end once", async () => {
    const { items, seen } = source([[1, 2], [], [3], []]);
    const all: number[] = [];
    for await (const item of items) all.push(item);
    expect(all).toEqual([1, 2, 3]);
    expect(seen.closed).toBe(true);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("asked for all at once come in order too", async () => {
    const { items } = source([[1], [2, 3], [4]]);
    const steps = await Promise.all(Array.from({ length: 6 }, () => items.next()));
    expect(steps.map(({ value }) => value)).toEqual([1, 2, 3, 4, undefined, undefined]);
  });

  test("left in the middle close the source, and take no batch more than needed", async () => {
    const { items, seen } = source([[1, 2], [3]]);
    for await (const item of items) if (item === 1) break;
    expect(seen).toEqual({ taken: 1, closed: true });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test.each([
    ["in the first step of a batch", [failing()]],
    ["behind another batch", [[0], failing()]],
  ])("that fail %s reject once and close the source", async (_, batches) => {
    const { items, seen } = source([...batches, [9]]);
    const all: number[] = [];
    const reading = (async () => {
      for await (const item of items) all.push(item);
    })();
    await expect(reading).rejects.toThrow("as asked");
    expect(all.at(-1)).toBe(1);
    expect(seen.closed).toBe(true);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("a failing source rejects the step that met it", async () => {
    const broken = (async function* () {
      yield [1];
      throw new Error("cut");
    })();
    const items = new Flattened<number>(broken);
    const [first, second, third] = await Promise.allSettled([items.next(), items.next(), items.next()]);
    expect(first).toMatchObject({ value: { value: 1 } });
    expect(second).toMatchObject({ status: "rejected" });
    expect(third).toMatchObject({ value: { done: true } });
  });
});
