import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openDiskCache } from "../../node-client/disk-cache.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { precacheSpaceContract } from "../contract/precache-space.ts";
import { temporaryDirectory } from "../support/processes.ts";

describe("[PRECACHE-2] the disk cache, of precached data", () => {
  precacheSpaceContract(async () => {
    const cache = await open(await temporaryDirectory(), { quotaBytes: 1000 });
    // Blobs by the name that a test gives them; a blob's real name is its hash.
    const made = new Map<string, Sha256>();
    const make = (name: string, size: number): [Sha256, Uint8Array] => {
      const one = blob(size);
      made.set(name, one[0]);
      return one;
    };
    const of = (name: string): Sha256 => made.get(name) ?? ("0".repeat(64) as Sha256);
    return {
      put: (name, size) => cache.put(...make(name, size)),
      putAhead: (name, size, keep) =>
        cache.precache!.put(...make(name, size), new Set(keep.map((one) => of(one)))),
      async touch(names) {
        const here = await cache.precache!.touch(names.map(of));
        return names.filter((name) => here.includes(of(name)));
      },
      async held(names) {
        const here = await Promise.all(names.map((name) => cache.get(of(name))));
        return names.filter((_, at) => here[at]);
      },
    };
  });
});

type Cache = Awaited<ReturnType<typeof openDiskCache>>;

describe("disk cache", () => {
  it("gives back what was put, also after a restart", async () => {
    const directory = await temporaryDirectory();
    const cache = await open(directory);
    const [name, bytes] = blob(1000);
    expect(await cache.get(name)).toBeUndefined();
    await cache.put(name, bytes);
    expect(await cache.get(name)).toEqual(bytes);
    expect(await cache.list()).toEqual([name]);
    const again = await open(directory);
    expect(await again.list()).toEqual([name]);
    expect(await again.get(name)).toEqual(bytes);
  });

  it("takes a damaged file for a miss, removes it and says so", async () => {
    const directory = await temporaryDirectory();
    const [name, bytes] = blob(1000);
    await (await open(directory)).put(name, bytes);
    await writeFile(path(directory, name), bytes.with(500, bytes[500]! ^ 1));
    const warnings: string[] = [];
    const cache = await open(directory, { warnings });
    const removed: Sha256[] = [];
    cache.onChange((change) => removed.push(...change.removed));
    expect(await cache.get(name)).toBeUndefined();
    expect(removed).toEqual([name]);
    expect(warnings).toHaveLength(1);
    await expect(stat(path(directory, name))).rejects.toThrow(/ENOENT/);
    await cache.put(name, bytes);
    expect(await cache.get(name)).toEqual(bytes);
  });

  it("[KERNEL-11] gives verified files a further name, and no others", async () => {
    const directory = await temporaryDirectory();
    const [name, bytes] = blob(1000);
    const [damaged, spoilt] = blob(1000);
    const writer = await open(directory);
    await writer.put(name, bytes);
    await writer.put(damaged, spoilt);
    await writeFile(path(directory, damaged), spoilt.with(500, spoilt[500]! ^ 1));
    const cache = await open(directory);
    const to = (file: string): string => join(cache.linkDirectory, file);
    expect(await cache.link(name, 1000, to("whole"))).toBe(true);
    expect(new Uint8Array(await readFile(to("whole")))).toEqual(bytes);
    expect(await cache.link(name, 999, to("size"))).toBe(false);
    expect(await cache.link(damaged, 1000, to("damaged"))).toBe(false);
    expect(await cache.link(blob(10)[0], 10, to("missing"))).toBe(false);
    expect(await cache.link(name, 1000, join(directory, "no", "directory"))).toBe(false);
    expect(await readdir(cache.linkDirectory)).toEqual(["whole"]);
    // A large one needs no reading ahead once it is verified.
    const [large, content] = blob(200_000);
    await writer.put(large, content);
    const reader = await open(directory);
    const isNear = (): boolean | undefined => reader.isNear?.({ sha256: large, size: content.length });
    expect(isNear()).toBe(false);
    await reader.get(large);
    expect(isNear()).toBe(true);
    expect(cache.isNear?.({ sha256: name, size: 1000 })).toBe(false);
    // A file that the cache removes stays under its further name.
    const small = await open(directory, { quotaBytes: 1500 });
    for (let i = 0; i < 2; i++) await small.put(...blob(1000));
    expect(await small.get(name)).toBeUndefined();
    expect(new Uint8Array(await readFile(to("whole")))).toEqual(bytes);
  });

  it("takes a file that was cut short for a miss", async () => {
    const directory = await temporaryDirectory();
    const [name, bytes] = blob(1000);
    await (await open(directory)).put(name, bytes);
    await writeFile(path(directory, name), bytes.subarray(0, 10));
    expect(await (await open(directory)).get(name)).toBeUndefined();
  });

  it("stays within its quota: the least recently used go first", async () => {
    const directory = await temporaryDirectory();
    const cache = await open(directory, { quotaBytes: 10_000 });
    const blobs = Array.from({ length: 9 }, () => blob(1000));
    for (const [name, bytes] of blobs) await cache.put(name, bytes);
    // The files after the first were used long ago.
    for (const [name] of blobs.slice(1)) await utimes(path(directory, name), 1000, 1000);
    const again = await open(directory, { quotaBytes: 10_000 });
    await again.get(blobs[0]![0]);
    const [large, largeBytes] = blob(5000);
    await again.put(large, largeBytes);
    const left = await again.list();
    expect(left.slice(0, 2).sort()).toEqual([large, blobs[0]![0]].sort());
    expect(await diskUsage(directory)).toBeLessThanOrEqual(10_000);
    expect(left.length).toBe(await fileCount(directory));
  });

  it("keeps nothing larger than its quota, and nothing at all when it is told so", async () => {
    const directory = await temporaryDirectory();
    const cache = await open(directory, { quotaBytes: 100 });
    const [name, bytes] = blob(1000);
    await cache.put(name, bytes);
    expect(await cache.get(name)).toBeUndefined();
    expect(await fileCount(directory)).toBe(0);
  });

  it("is shared: what one client put, another one has, and what one removed is a miss for the other", async () => {
    const directory = await temporaryDirectory();
    const one = await open(directory, { quotaBytes: 3000 });
    const other = await open(directory, { quotaBytes: 3000 });
    const [name, bytes] = blob(1000);
    await one.put(name, bytes);
    const added: Sha256[] = [];
    other.onChange((change) => added.push(...change.added));
    expect(await other.get(name)).toEqual(bytes);
    expect(added).toEqual([name]);
    await utimes(path(directory, name), 1000, 1000);
    const third = await open(directory, { quotaBytes: 3000 });
    for (let i = 0; i < 3; i++) await third.put(...blob(1000));
    const removed: Sha256[] = [];
    one.onChange((change) => removed.push(...change.removed));
    expect(await one.get(name)).toBeUndefined();
    expect(removed).toEqual([name]);
    expect(await diskUsage(directory)).toBeLessThanOrEqual(3000);
  });

  it("many at once on one directory neither lose nor mix bytes", async () => {
    const directory = await temporaryDirectory();
    const caches = await Promise.all(
      Array.from({ length: 4 }, () => open(directory, { quotaBytes: 200_000 })),
    );
    const blobs = Array.from({ length: 30 }, (_, at) => blob(100 + at));
    await Promise.all(caches.flatMap((cache) => blobs.map(([name, bytes]) => cache.put(name, bytes))));
    for (const cache of caches)
      for (const [name, bytes] of blobs) expect(await cache.get(name)).toEqual(bytes);
    expect(await fileCount(directory)).toBe(30);
    expect(await readdir(join(directory, "partial"))).toEqual([]);
  });

  it("ignores and keeps what is not its own, and clears what a killed client left half-written", async () => {
    const directory = await temporaryDirectory();
    await open(directory);
    const old = join(directory, "partial", "left-behind");
    const fresh = join(directory, "partial", "being-written");
    const foreign = join(directory, "blobs", "README");
    for (const file of [old, fresh, foreign]) await writeFile(file, "x");
    await utimes(old, 1000, 1000);
    const cache = await open(directory);
    expect(await cache.list()).toEqual([]);
    expect(await readdir(join(directory, "partial"))).toEqual(["being-written"]);
    expect(await readFile(foreign, "utf8")).toBe("x");
  });
});

async function open(
  directory: string,
  { quotaBytes = 1 << 20, warnings = [] }: { quotaBytes?: number; warnings?: string[] } = {},
): Promise<Cache> {
  const log = (_level: string, message: string): void => void warnings.push(message);
  const cache = await openDiskCache({ directory, quotaBytes, log });
  onTestFinished(() => cache.close());
  return cache;
}

function blob(size: number): [Sha256, Uint8Array] {
  const bytes = new Uint8Array(randomBytes(size));
  return [createHash("sha256").update(bytes).digest("hex") as Sha256, bytes];
}

function path(directory: string, name: Sha256): string {
  return join(directory, "blobs", name.slice(0, 2), name);
}

async function files(directory: string): Promise<string[]> {
  const entries = await readdir(join(directory, "blobs"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function fileCount(directory: string): Promise<number> {
  return (await files(directory)).length;
}

async function diskUsage(directory: string): Promise<number> {
  const sizes = await Promise.all((await files(directory)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
