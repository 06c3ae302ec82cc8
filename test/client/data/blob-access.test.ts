import { describe, expect, test } from "vitest";
import { PlatformError } from "../../../shared/errors.ts";
import { sha256Hex } from "../../../shared/hash.ts";
import type { Sha256 } from "../../../shared/ids.ts";
import { limits } from "../../../shared/limits.ts";
import { hash } from "../../support/chunks.ts";

import { BlobFixture, mebibyte, readyBlobs as ready } from "../../support/blob-fixture.ts";

describe("reading blobs", () => {
  test("a blob is fetched once however many ask, and cached", async () => {
    const f = ready();
    const name = f.add(new Uint8Array([1, 2, 3, 4]));
    const [a, b, part] = await Promise.all([
      f.access.read(name),
      f.access.read(name),
      f.access.read(name, [1, 3]),
    ]);
    expect(f.fetched).toEqual(["t1: all of 4"]);
    expect(part).toEqual(new Uint8Array([2, 3]));
    expect(a).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(b).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(await f.access.read(name)).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(f.cached.get(name.sha256)).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(f.fetched).toHaveLength(1);
  });

  test("[KERNEL-10] bytes that came with a lease are not fetched, unless they are not the blob's own", async () => {
    const f = ready();
    const bytes = new Uint8Array([1, 2, 3]);
    const name = { sha256: sha256Hex(bytes), size: 3 };
    const frame = new Uint8Array([9, 1, 2, 3, 9]);
    f.access.take(name, frame.subarray(1, 4));
    frame.fill(0);
    expect(await f.access.read(name)).toEqual(bytes);
    expect(f.cached.get(name.sha256)).toEqual(bytes);
    expect(f.fetched).toEqual([]);
    const other = { sha256: sha256Hex(new Uint8Array([4, 5])), size: 2 };
    f.served.set(other.sha256, new Uint8Array([4, 5]));
    for (const wrong of [new Uint8Array([5, 4]), new Uint8Array([4, 5, 6])]) {
      f.restart().useTicket("t2");
      f.cached.clear();
      f.access.take(other, wrong);
      expect(await f.access.read(other)).toEqual(new Uint8Array([4, 5]));
    }
    expect(f.fetched).toEqual(["t2: all of 2", "t2: all of 2"]);
  });

  test("a cached blob is not fetched; a cached blob of the wrong size is", async () => {
    const f = ready();
    const good = f.add(new Uint8Array([1]));
    const bad = f.add(new Uint8Array([2]));
    f.cached.set(good.sha256, new Uint8Array([1]));
    f.cached.set(bad.sha256, new Uint8Array([2, 2]));
    expect(await f.access.read(good)).toEqual(new Uint8Array([1]));
    expect(await f.access.read(bad)).toEqual(new Uint8Array([2]));
    expect(f.fetched).toHaveLength(1);
  });

  test("of a large blob only the chunk of the range travels, unless all of it is wanted", async () => {
    const f = ready();
    const name = f.add(new Uint8Array(9 * mebibyte).fill(7));
    expect(await f.access.read(name, [mebibyte, mebibyte + 3])).toEqual(new Uint8Array([7, 7, 7]));
    expect((await f.access.read(name, [0, name.size])).length).toBe(name.size);
    expect(f.cached.has(name.sha256)).toBe(true);
    expect(await f.access.read(name, [0, 2])).toEqual(new Uint8Array([7, 7]));
    const chunk = `t1: ${mebibyte}-${mebibyte + limits.chunkBytes} of ${name.size}`;
    expect(f.fetched).toEqual([chunk, `t1: all of ${name.size}`]);
  });

  test("a range outside the blob is refused", async () => {
    const f = ready();
    const name = f.add(new Uint8Array(4));
    for (const range of [
      [0, 5],
      [3, 2],
      [-1, 2],
      [0.5, 2],
      [NaN, 2],
    ] as const)
      await expect(f.access.read(name, range)).rejects.toMatchObject({ code: "RANGE_NOT_SATISFIABLE" });
  });

  test("bytes of the wrong length are not taken", async () => {
    const f = ready();
    const name = f.add(new Uint8Array(4));
    await expect(f.wait(f.access.read({ ...name, size: 5 }))).rejects.toMatchObject({
      code: "HASH_MISMATCH",
    });
  });
});

describe("[DATA-7] ranges of a large blob", () => {
  const { chunkBytes } = limits;
  const imageBytes = 1500;
  const stack = (): Uint8Array =>
    new Uint8Array(10_000 * imageBytes).map((_, at) => (at * 7 + Math.floor(at / 251)) & 255);
  const image = (n: number): [number, number] => [n * imageBytes, (n + 1) * imageBytes];
  const moved = (f: BlobFixture): number =>
    f.fetched.reduce((sum, line) => {
      const [start = 0, end = 0] = (/(\d+)-(\d+)/.exec(line) ?? []).slice(1).map(Number);
      return sum + end - start;
    }, 0);

  test("20 images of 10,000 move the few chunks they lie in, once, whoever asks in whatever order", async () => {
    const f = ready();
    const bytes = stack();
    const name = f.add(bytes);
    const numbers = Array.from({ length: 20 }, (_, i) => 5060 + ((i * 7) % 20));
    const images = await Promise.all(numbers.map((n) => f.access.read(name, image(n))));
    expect(images).toEqual(numbers.map((n) => bytes.slice(...image(n))));
    // Twenty reads of two adjacent chunks take one request.
    expect(f.fetched).toHaveLength(1);
    expect(moved(f)).toBeLessThanOrEqual(2 * chunkBytes);
    await f.access.read(name, [image(5063)[0], image(5077)[1]]);
    expect(f.fetched).toHaveLength(1);
    expect(f.lists).toBe(1);
    images[0]?.fill(9);
    expect(await f.access.read(name, image(numbers[0] ?? 0))).toEqual(bytes.slice(...image(numbers[0] ?? 0)));
  });

  test("missing chunks that lie side by side come in one request, around those that are there", async () => {
    const f = ready();
    const bytes = stack();
    const name = f.add(bytes);
    await f.access.read(name, [3 * chunkBytes, 3 * chunkBytes + 1]);
    const range = [chunkBytes + 5, 7 * chunkBytes - 5] as const;
    expect(Buffer.compare(await f.access.read(name, range), bytes.subarray(...range))).toBe(0);
    expect(f.fetched.map((line) => line.slice(4, line.indexOf(" of")))).toEqual([
      `${3 * chunkBytes}-${4 * chunkBytes}`,
      `${chunkBytes}-${3 * chunkBytes}`,
      `${4 * chunkBytes}-${7 * chunkBytes}`,
    ]);
  });

  test("the last chunk is shorter, an empty range moves nothing, a long one comes in pieces", async () => {
    const f = ready();
    const bytes = stack();
    const name = f.add(bytes);
    expect(await f.access.read(name, [7, 7])).toEqual(new Uint8Array());
    expect(f.fetched).toEqual([]);
    expect(await f.access.read(name, [name.size - 3, name.size])).toEqual(bytes.slice(-3));
    expect(Buffer.compare(await f.access.read(name, [1, name.size]), bytes.subarray(1))).toBe(0);
    expect(f.fetched.length).toBeGreaterThan(2);
    expect(moved(f)).toBe(name.size);
  });

  test("the cache holds chunks under their own hash, also for the next start; a damaged one is not taken", async () => {
    const f = ready();
    const bytes = stack();
    const name = f.add(bytes);
    await f.access.read(name, [0, 2 * chunkBytes]);
    await expect.poll(() => f.cached.size).toBe(2);
    for (const [sha256, chunk] of f.cached) expect(await hash(chunk)).toBe(sha256);
    const [, second] = f.cached.keys();
    f.restart().useTicket("t2");
    expect(await f.access.read(name, image(3))).toEqual(bytes.slice(...image(3)));
    expect(f.fetched).toHaveLength(1);
    f.cached.set(second as Sha256, new Uint8Array(3));
    f.restart().useTicket("t3");
    expect(await f.access.read(name, [chunkBytes, chunkBytes + 2])).toEqual(
      bytes.slice(chunkBytes, chunkBytes + 2),
    );
    expect(f.fetched).toHaveLength(2);
  });

  test("bytes damaged on the way are fetched again, and given up when they stay so", async () => {
    const f = ready();
    const bytes = stack();
    const name = f.add(bytes);
    f.damage = (sent) => (sent[100] = (sent[100] ?? 0) ^ 1);
    expect(await f.wait(f.access.read(name, image(0)))).toEqual(bytes.slice(...image(0)));
    expect(f.fetched).toHaveLength(2);
    f.served.set(name.sha256, stack().fill(1));
    // The digests are of other bytes; the earlier chunk stays good.
    await expect(f.wait(f.access.read(name, [chunkBytes, chunkBytes + 1]))).rejects.toMatchObject({
      code: "HASH_MISMATCH",
    });
    // The next read requests the digests again.
    expect(await f.access.read(name, [chunkBytes, chunkBytes + 1])).toEqual(new Uint8Array([1]));
  });

  test("digests are asked for again after a passing failure; a lasting one is told", async () => {
    const f = ready();
    const name = f.add(stack());
    f.listErrors.push(new PlatformError("UNREACHABLE", "down"));
    expect(await f.wait(f.access.read(name, image(0)))).toHaveLength(imageBytes);
    f.restart().useTicket("t2");
    f.listErrors.push(new PlatformError("NOT_FOUND", "gone"));
    await expect(f.access.read(name, image(0))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("when transfers fail", () => {
  test("a passing failure is retried, a lasting one is not", async () => {
    const f = ready();
    const name = f.add(new Uint8Array([1]));
    f.errors.push(new PlatformError("UNREACHABLE", "down"), new PlatformError("TOO_MANY", "slow down"));
    expect(await f.wait(f.access.read(name))).toEqual(new Uint8Array([1]));
    expect(f.fetched).toHaveLength(3);
    f.served.delete(name.sha256);
    await expect(f.access.read({ ...name, sha256: "f".repeat(64) as Sha256 })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  test("a fetch is given up after a while of being connected, and waits without a connection", async () => {
    const f = ready();
    const name = f.add(new Uint8Array([1]));
    f.errors.push(...Array.from({ length: 11 }, () => new PlatformError("UNREACHABLE", "down")));
    await expect(f.wait(f.access.read(name))).rejects.toMatchObject({ code: "UNREACHABLE" });
    f.access.disconnected();
    f.errors.push(...Array.from({ length: 50 }, () => new PlatformError("UNREACHABLE", "down")));
    expect(await f.wait(f.access.read(name))).toEqual(new Uint8Array([1]));
  });

  test("a ticket that has lapsed is replaced by the next, at once", async () => {
    const f = ready();
    const name = f.add(new Uint8Array([1]));
    f.errors.push(new PlatformError("UNAUTHENTICATED", "lapsed"));
    const reading = f.access.read(name);
    reading.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    f.access.useTicket("t2");
    expect(await reading).toEqual(new Uint8Array([1]));
    expect(f.fetched).toEqual(["t1: all of 1", "t2: all of 1"]);
  });

  test("before the first welcome it waits; stopped, it gives up", async () => {
    const f = new BlobFixture();
    const name = f.add(new Uint8Array([1]));
    const reading = f.access.read(name);
    reading.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(f.fetched).toEqual([]);
    f.access.close();
    await expect(reading).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  test("a computed output is offered for as long as it is wanted", async () => {
    const f = ready();
    f.errors.push(...Array.from({ length: 30 }, () => new PlatformError("STORE_FULL", "full")));
    expect(await f.wait(f.access.upload(new Uint8Array([1]), () => true))).toMatchObject({ size: 1 });
    f.errors.push(...Array.from({ length: 30 }, () => new PlatformError("STORE_FULL", "full")));
    await expect(
      f.wait(f.access.upload(new Uint8Array([1]), () => f.errors.length > 20)),
    ).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    await expect(f.wait(f.access.upload(new Uint8Array([1])))).rejects.toMatchObject({ code: "STORE_FULL" });
  });
});

describe("[TRANSFER-3] tries that move bytes", () => {
  test("do not count: an upload and a download of any size get through", async () => {
    const f = ready();
    const name = f.add(new Uint8Array(100).fill(7));
    f.stepBytes = 2;
    expect(await f.wait(f.access.read(name))).toHaveLength(100);
    const uploaded = await f.wait(f.access.upload(new Uint8Array(100)));
    expect(uploaded.size).toBe(100);
    f.stepBytes = 0;
    await expect(f.wait(f.access.upload(new Uint8Array(100)))).rejects.toMatchObject({ code: "UNREACHABLE" });
  });
});

describe("[CACHE-2] uploaded bytes", () => {
  test("are in the cache, and are not fetched", async () => {
    const f = ready();
    const bytes = new Uint8Array(1000).fill(5);
    const name = await f.wait(f.access.upload(bytes));
    f.restart().useTicket("t2");
    expect(await f.wait(f.access.read(name))).toEqual(bytes);
    expect(f.fetched).toEqual([]);
  });

  test("of more than a blob that is fetched whole are not kept", async () => {
    const f = ready();
    await f.wait(f.access.upload(new Uint8Array(limits.wholeBytes + 1)));
    expect(f.cached.size).toBe(0);
  });

  test("are not kept when they were not stored", async () => {
    const f = ready();
    f.errors.push(new PlatformError("TOO_LARGE", "too large"));
    await expect(f.wait(f.access.upload(new Uint8Array(10)))).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect(f.cached.size).toBe(0);
  });
});
