import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";

/** A cache under test, on disk or in a browser. Names stand for blobs of the test. */
interface AheadCacheUnderTest {
  /** Stores bytes of a task. */
  put(name: string, bytes: number): Promise<void>;
  /** Stores bytes of a precache. */
  putAhead(name: string, bytes: number, keep: readonly string[]): Promise<void>;
  touch(names: readonly string[]): Promise<string[]>;
  /** The names whose bytes are in the cache. */
  held(names: readonly string[]): Promise<string[]>;
}

/** The contract of caches for precached data. `open` makes a cache of 1,000 bytes. */
export function precacheSpaceContract(open: () => Promise<AheadCacheUnderTest>): void {
  const names = (count: number): string[] =>
    Array.from({ length: count }, () => randomBytes(8).toString("hex"));

  it("[PRECACHE-2] lets go of what was not used for longest, and of nothing that is to be kept", async () => {
    const cache = await open();
    const [kept = "", old = "", other = "", fresh = ""] = names(4);
    for (const name of [kept, old, other]) await cache.put(name, 300);
    await cache.putAhead(fresh, 300, [kept]);
    expect(await cache.held([kept, fresh])).toEqual([kept, fresh]);
    expect(await cache.held([old])).toEqual([]);
  });

  it("[PRECACHE-2] stores nothing, and lets go of nothing, where only what is to be kept could make room", async () => {
    const cache = await open();
    const kept = names(3);
    for (const name of kept) await cache.put(name, 300);
    const [fresh = "", huge = ""] = names(2);
    await cache.putAhead(fresh, 300, kept);
    await cache.putAhead(huge, 1001, []);
    expect(await cache.held([...kept, fresh, huge])).toEqual(kept);
    expect(await cache.touch([fresh, huge])).toEqual([]);
  });

  it("a touch tells the cached blobs, and counts as a use", async () => {
    const cache = await open();
    const [first = "", second = "", third = "", fresh = "", absent = ""] = names(5);
    for (const name of [first, second, third]) await cache.put(name, 300);
    expect(await cache.touch([absent, first])).toEqual([first]);
    await cache.putAhead(fresh, 150, []);
    expect(await cache.held([first, second, third, fresh])).toEqual([first, third, fresh]);
  });
}
