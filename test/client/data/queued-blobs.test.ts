import { describe, expect, test } from "vitest";
import type { Sha256 } from "../../../shared/ids.ts";

import { mebibyte, readyBlobs as ready } from "../../support/blob-fixture.ts";

describe("[TRANSFER-4] few at a time", () => {
  test("three uploads, the oldest first", async () => {
    const f = ready();
    f.isHeld = true;
    const all = [1, 2, 3, 4, 5].map((size) => f.access.upload(new Uint8Array(size)));
    await f.clock.step();
    expect(f.uploading).toEqual([1, 2, 3]);
    f.release(2);
    await all[1];
    await f.clock.step();
    expect(f.uploading).toEqual([1, 2, 3, 4]);
    for (const size of [1, 3, 4, 5]) {
      f.release(size);
      await all[size - 1];
      await f.clock.step();
    }
    expect(f.uploading).toEqual([1, 2, 3, 4, 5]);
  });

  test("two uploads of the same bytes one after the other", async () => {
    const f = ready();
    f.isHeld = true;
    const all = [5, 5, 6].map((size) => f.access.upload(new Uint8Array(size)));
    await f.clock.step();
    expect(f.uploading).toEqual([5, 6]);
    f.release(5);
    await all[0];
    await f.clock.step();
    expect(f.uploading).toEqual([5, 6, 5]);
    f.release(5);
    f.release(6);
    expect(new Set((await Promise.all(all)).map(({ sha256 }) => sha256)).size).toBe(2);
  });

  test("three downloads, those that a task waits for first", async () => {
    const f = ready();
    f.isHeld = true;
    const names = [1, 2, 3, 4, 5, 6].map((size) => f.add(new Uint8Array(size)));
    const sizes = (): number[] => f.fetched.map((one) => Number(one.split(" ").at(-1)));
    f.access.fetchQueued(names.slice(0, 4), () => true);
    const needed = names.slice(4).map((name) => f.access.read(name));
    await f.clock.step();
    expect(sizes()).toEqual([1, 2, 3]);
    f.release(2);
    await f.clock.step();
    expect(sizes()).toEqual([1, 2, 3, 5]);
    for (const size of [5, 6, 1, 3, 4]) {
      f.release(size);
      await f.clock.step();
    }
    expect(sizes()).toEqual([1, 2, 3, 5, 6, 4]);
    expect((await Promise.all(needed)).map(({ length }) => length)).toEqual([5, 6]);
  });

  test("ranges of queued tasks are in memory when their tasks read them", async () => {
    const f = ready();
    const name = f.add(new Uint8Array(20 * mebibyte).map((_, at) => at % 251));
    f.access.fetchQueued(
      [
        { ...name, range: [mebibyte, mebibyte + 65_536] },
        { ...name, range: [0, 10 * mebibyte] },
        { ...name, range: [5, 10 ** 12] },
        name,
      ],
      () => true,
    );
    // Code for ranges is loaded with the first of them.
    while (f.fetched.length === 0) await f.clock.step();
    for (let steps = 0; steps < 20; steps++) await f.clock.step();
    const moved = [...f.fetched];
    expect(moved).toEqual([`t1: ${mebibyte}-${mebibyte + 65_536} of ${name.size}`]);
    expect((await f.access.read(name, [mebibyte + 10, mebibyte + 12]))[0]).toBe((mebibyte + 10) % 251);
    expect(f.fetched).toEqual(moved);
  });

  test("an output that is not wanted any more is not sent", async () => {
    const f = ready();
    await expect(f.access.upload(new Uint8Array(5), () => false)).rejects.toMatchObject({
      code: "JOB_CANCELLED",
    });
    expect(f.uploading).toEqual([]);
  });
});

test("blobs of queued tasks: small ones are fetched once, a few at a time, and never fails anybody", async () => {
  const f = ready();
  const names = Array.from({ length: 20 }, (_, i) => f.add(new Uint8Array([i])));
  const large = f.add(new Uint8Array(9 * mebibyte));
  const missing = { sha256: "e".repeat(64) as Sha256, size: 1 };
  f.access.fetchQueued([missing, large, ...names, ...names], () => true);
  while (f.cached.size < 20) await f.clock.step();
  expect(f.fetched).toHaveLength(21);
  await Promise.all(names.map((name) => f.access.read(name)));
  expect(f.fetched).toHaveLength(21);
});

test("[KERNEL-11] blobs that are near are not read for queued tasks, and take no memory unless parts are read", async () => {
  const f = ready();
  const [near, far] = [f.add(new Uint8Array(9)), f.add(new Uint8Array(2))];
  f.near.add(near.sha256);
  f.access.fetchQueued([near, far], () => true);
  while (f.cached.size < 1) await f.clock.step();
  expect(f.fetched).toEqual(["t1: all of 2"]);
  const fetchedAgain = async (range?: [number, number]): Promise<boolean> => {
    f.cached.delete(near.sha256);
    const before = f.fetched.length;
    await f.access.read(near, range);
    return f.fetched.length > before;
  };
  expect(await fetchedAgain()).toBe(true);
  expect(await fetchedAgain()).toBe(true);
  expect(await fetchedAgain([1, 3])).toBe(true);
  expect(await fetchedAgain([1, 4])).toBe(false);
});

test("[TRANSFER-4] blobs of tasks that have left are not fetched, and hold up no others", async () => {
  const f = ready();
  f.isHeld = true;
  const names = [1, 2, 3, 4, 5, 6].map((size) => f.add(new Uint8Array(size)));
  let isHere = true;
  f.access.fetchQueued(names.slice(0, 5), () => isHere);
  f.access.fetchQueued(names.slice(5), () => true);
  await f.clock.step();
  isHere = false;
  f.release(1);
  await f.clock.step();
  const sizes = f.fetched.map((one) => Number(one.split(" ").at(-1)));
  expect(sizes).toEqual([1, 2, 3, 6]);
});
