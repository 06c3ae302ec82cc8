import { createHash, randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createBlobTransfer } from "../../node-client/blob-transfer.ts";
import { openDiskCache } from "../../node-client/disk-cache.ts";
import { BlobAccess } from "../../shared/client/data/blob-access.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import { Precacher, type PrecacheReach } from "../../shared/client/data/precacher.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { VirtualClock } from "../support/client-virtual-clock.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { temporaryDirectory } from "../support/processes.ts";

const { chunkBytes } = limits;
const megabyte = 1_000_000;

let server: HttpServer;
beforeEach(async () => {
  server = await startHttpServer();
});

async function put(bytes: Uint8Array): Promise<BlobName> {
  const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
  const body = new Uint8Array(bytes);
  expect((await server.request(`/api/blobs/${sha256}`, { method: "PUT", body })).status).toBe(201);
  return { sha256, size: bytes.length };
}

/** The real cache on disk and the real transfer, on a clock that stands still unless a test moves it. */
async function client(
  options: { quotaBytes?: number; held?: BlobName[]; transfer?: Partial<BlobTransfer> } = {},
) {
  const { quotaBytes = 1e9, held = [], transfer = {} } = options;
  const cache = await openDiskCache({
    directory: await temporaryDirectory(),
    quotaBytes,
    log: () => undefined,
  });
  onTestFinished(() => cache.close());
  const clock = new VirtualClock();
  const real = createBlobTransfer(() => server.url);
  const fetched: string[] = [];
  const blobs: BlobTransfer = {
    ...real,
    ...transfer,
    fetch: async (...call) => {
      fetched.push(`${call[0].sha256} ${call[1]?.join("-") ?? "all"}`);
      return transfer.fetch ? transfer.fetch(...call) : real.fetch(...call);
    },
  };
  const ports = { blobs, cache, clock, random: () => 0.5, log: () => undefined };
  const access = new BlobAccess(ports);
  access.useTicket(server.tokens.admin);
  const told: PrecacheReach[] = [];
  const precacher = new Precacher(ports, access, { held: () => held, moved: (_, far) => told.push(far) });
  const over = () => expect.poll(() => told.at(-1)?.over).toBe(true);
  const has = async ({ sha256 }: BlobName) => (await cache.get(sha256)) !== undefined;
  return { cache, clock, fetched, access, told, precacher, over, has };
}

/** Waits for all work that needs no time to pass. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn();
}

describe("[PRECACHE-2] precached data", () => {
  it("never takes the place of what tasks here need, nor goes beyond the quota", async () => {
    const held = [await put(randomBytes(megabyte)), await put(randomBytes(megabyte))];
    const c = await client({ quotaBytes: 10 * megabyte, held });
    for (const name of held) await c.access.read(name);
    const old = randomBytes(5 * megabyte);
    const oldName = createHash("sha256").update(old).digest("hex") as Sha256;
    await expect.poll(async () => (await Promise.all(held.map(c.has))).every(Boolean)).toBe(true);
    await c.cache.put(oldName, old);
    const wanted: BlobName[] = [];
    for (let n = 0; n < 9; n++) wanted.push(await put(randomBytes(megabyte)));
    c.precacher.start(1, wanted);
    await c.over();
    // 8 of the 10 are for precaches and tasks; tasks need 2 of those.
    expect(c.told.at(-1)).toMatchObject({ haveBytes: 6 * megabyte, missedBytes: 3 * megabyte });
    expect(c.told.at(-1)?.reason).toContain("no room");
    expect(await Promise.all(held.map(c.has))).toEqual([true, true]);
    // Small blobs are fetched a few at a time, so that one may overtake another.
    expect((await Promise.all(wanted.map(c.has))).filter(Boolean)).toHaveLength(6);
    expect(await c.has({ sha256: oldName, size: 1 })).toBe(false);
    // The end of the first precache leaves its room to the next.
    c.precacher.stop(1);
    const next = await put(randomBytes(megabyte));
    c.precacher.start(2, [next]);
    await expect.poll(() => c.has(next)).toBe(true);
  });

  it("comes behind what tasks wait for, and yet not never", async () => {
    const [needed, wanted, late] = [
      await put(randomBytes(1000)),
      await put(randomBytes(2000)),
      await put(randomBytes(3000)),
    ];
    const gate = Promise.withResolvers<void>();
    const real = createBlobTransfer(() => server.url);
    const c = await client({
      transfer: {
        fetch: async (...call) => {
          if (call[0].sha256 === needed.sha256) await gate.promise;
          return real.fetch(...call);
        },
      },
    });
    const read = c.access.read(needed);
    await expect.poll(() => c.fetched).toEqual([`${needed.sha256} all`]);
    c.precacher.start(1, [wanted]);
    await expect.poll(() => c.clock.timers).toBe(1);
    await settle();
    expect(c.fetched).toHaveLength(1);
    // A busy client gets its precaches, too.
    await c.clock.step();
    await c.over();
    expect(c.told.at(-1)).toMatchObject({ haveBytes: 2000, over: true });
    c.precacher.start(2, [late]);
    await expect.poll(() => c.clock.timers).toBe(1);
    await settle();
    expect(c.fetched).toHaveLength(2);
    gate.resolve();
    await read;
    await expect.poll(() => c.has(late)).toBe(true);
  });

  it("begins nothing while it is on hold, and stops when it is not wanted any more", async () => {
    const names = [await put(randomBytes(1000)), await put(randomBytes(1001))];
    const c = await client();
    c.precacher.hold(true);
    c.precacher.start(1, names);
    await settle();
    expect(c.fetched).toEqual([]);
    c.precacher.hold(false);
    await c.over();
    expect(c.fetched).toHaveLength(2);
    c.precacher.hold(true);
    const other = await put(randomBytes(1002));
    c.precacher.start(2, [other]);
    await settle();
    c.precacher.stop(2);
    c.precacher.hold(false);
    await settle();
    expect(c.fetched).toHaveLength(2);
  });

  it("of ranges takes the chunks that are not here yet, each once, under its own name", async () => {
    const stack = randomBytes(240 * chunkBytes + 100);
    const name = await put(stack);
    const c = await client();
    await c.access.read(name, [chunkBytes, 2 * chunkBytes]);
    const digest = (at: number) =>
      createHash("sha256")
        .update(stack.subarray(at * chunkBytes, (at + 1) * chunkBytes))
        .digest("hex") as Sha256;
    await expect.poll(() => c.has({ sha256: digest(1), size: 0 })).toBe(true);
    c.fetched.length = 0;
    const ranges: [number, number][] = [
      [0, 160 * chunkBytes],
      [240 * chunkBytes, name.size],
    ];
    c.precacher.start(1, [{ ...name, ranges }]);
    await c.over();
    expect(c.told.at(-1)).toMatchObject({ haveBytes: 160 * chunkBytes + 100, missedBytes: 0 });
    const range = (from: number, to: number) => `${name.sha256} ${from}-${to}`;
    expect(c.fetched).toEqual([
      range(0, chunkBytes),
      range(2 * chunkBytes, 128 * chunkBytes),
      range(128 * chunkBytes, 160 * chunkBytes),
      range(240 * chunkBytes, name.size),
    ]);
    expect(new Set(await c.cache.list()).size).toBe(161);
    c.fetched.length = 0;
    expect(await c.access.read(name, [3, 159 * chunkBytes])).toEqual(
      new Uint8Array(stack.subarray(3, 159 * chunkBytes)),
    );
    expect(c.fetched).toEqual([]);
  });

  it("comes by turns, so that a small one does not wait for another's large one", async () => {
    const stack = await put(randomBytes(280 * chunkBytes));
    const small = await put(randomBytes(1000));
    const c = await client();
    c.precacher.start(1, [{ ...stack, ranges: [[0, 256 * chunkBytes]] }]);
    c.precacher.start(2, [small]);
    await expect.poll(() => c.fetched.length).toBe(3);
    expect(c.fetched.map((one) => one.slice(0, 64))).toEqual([stack.sha256, small.sha256, stack.sha256]);
  });

  it("keeps large blobs whole, and only with the hash that is their name", async () => {
    const blob = randomBytes(10 * megabyte);
    const name = await put(blob);
    const real = createBlobTransfer(() => server.url);
    let damaged = 0;
    const c = await client({
      transfer: {
        fetch: async (...call) => {
          const bytes = await real.fetch(...call);
          if (damaged++ === 0) bytes[5]! ^= 1;
          return bytes;
        },
      },
    });
    c.precacher.start(1, [name]);
    await c.over();
    expect(c.told.at(-1)).toMatchObject({ haveBytes: blob.length, missedBytes: 0 });
    expect(await c.cache.get(name.sha256)).toEqual(new Uint8Array(blob));
    // Two runs, and one more for the damaged run.
    expect(c.fetched).toHaveLength(4);
  });
});

describe("[PRECACHE-3] missing blobs", () => {
  it("is told with the reason, and the rest comes", async () => {
    const here = await put(randomBytes(1000));
    const gone = { sha256: "0".repeat(64) as Sha256, size: 500 };
    const c = await client();
    c.precacher.start(1, [gone, here]);
    await c.over();
    expect(c.told.at(-1)).toMatchObject({ haveBytes: 1000, missedBytes: 500 });
    expect(c.told.at(-1)?.reason).toContain("no blob 000");
  });

  it("of a full disk is told, too", async () => {
    const name = await put(randomBytes(1000));
    const c = await client();
    c.cache.precache!.put = () => Promise.reject(new PlatformError("STORE_FULL", "The disk is full."));
    c.precacher.start(1, [name]);
    await c.over();
    expect(c.told.at(-1)).toMatchObject({ haveBytes: 0, missedBytes: 1000, reason: "The disk is full." });
  });
});
