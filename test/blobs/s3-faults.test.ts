import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { BlobBucket } from "../../server/blobs/s3/bucket.ts";
import { parseS3Place } from "../../server/blobs/s3/place.ts";
import { BlobWorld, content } from "../contract/blob-harness.ts";
import { startFaultyProxy, type Fault, type FaultyProxy } from "../support/faulty-proxy.ts";
import { hasS3, startS3, whyNoS3, type S3Server } from "../support/s3-server.ts";

let s3: S3Server;
if (hasS3) {
  beforeAll(async () => {
    s3 = await startS3();
  });
  afterAll(() => s3?.close());
}

const slowDown = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
const mib = 1024 ** 2;

interface Faulty {
  readonly world: BlobWorld;
  readonly proxy: FaultyProxy;
  /** Names of the files of uploads under way. */
  readonly waiting: () => Promise<string[]>;
  /** The fault of the next requests; undefined: none. */
  fault: ((request: IncomingMessage) => Fault | undefined) | undefined;
}

async function openFaulty(patienceMs = 20_000): Promise<Faulty> {
  const faulty: { fault: Faulty["fault"] } = { fault: undefined };
  const proxy = await startFaultyProxy(s3.endpoint, (request) => faulty.fault?.(request));
  onTestFinished(() => proxy.close());
  const folder = await mkdtemp(join(tmpdir(), "manyhands-uploads-"));
  const place = parseS3Place(`s3://${s3.bucket}/${randomUUID()}?endpoint=${proxy.url}`, s3.env);
  const bounds = { partBytes: 5 * mib, silenceMs: 1000, patienceMs };
  const backend = (): BlobBucket => new BlobBucket(place, folder, bounds);
  const world = await BlobWorld.open(async () => ({
    backend,
    everything: () => readdir(folder),
    damage: () => Promise.reject(new Error("not here")),
    close: () => rm(folder, { recursive: true }),
  }));
  onTestFinished(() => world.close());
  return Object.assign(faulty, { world, proxy, waiting: () => readdir(folder) });
}

/** A fault of the first `count` requests of a method. */
function first(count: number, method: string, fault: Fault): (request: IncomingMessage) => Fault | undefined {
  let left = count;
  return (request) => (request.method === method && left-- > 0 ? fault : undefined);
}

describe.skipIf(!hasS3)(`[BLOB-4] S3 that fails${whyNoS3}`, () => {
  it.each<[string, Fault]>([
    ["503", { status: 503, body: slowDown }],
    ["500 without a word", { status: 500 }],
    ["silence", { isSilent: true }],
    ["a reply that is lost", { loseReply: true }],
  ])("for a moment, with %s, is asked again: uploads, looks and reads", async (_, fault) => {
    const faulty = await openFaulty();
    const { world } = faulty;
    const one = content(300_000);
    for (const method of ["PUT", "HEAD", "GET"]) {
      faulty.fault = first(2, method, fault);
      await world.put(one);
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      await world.store.disownBlob(one.sha256, { customer: "ada" });
      await world.blobs.removeUnowned(one.sha256);
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
    }
    expect(await faulty.waiting()).toEqual([]);
  });

  it("in the middle of a read goes on behind the last byte", async () => {
    const faulty = await openFaulty();
    const { world, proxy } = faulty;
    const one = content(900_000);
    await world.put(one);
    faulty.fault = ({ method }) => (method === "GET" ? { cutAfter: 200_000 } : undefined);
    expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    const range = [5, 700_000] as const;
    expect((await world.read(one.sha256, range)).equals(one.bytes.subarray(...range))).toBe(true);
    expect(proxy.seen.filter(({ method }) => method === "GET").length).toBeGreaterThan(6);
  });

  it("before any byte of a read, each time, ends in STORE_FAILED", async () => {
    const faulty = await openFaulty();
    const { world } = faulty;
    const one = content(100_000);
    await world.put(one);
    faulty.fault = ({ method }) => (method === "GET" ? { cutAfter: 0 } : undefined);
    await expect(world.read(one.sha256)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("that sends all in place of a range is not believed", async () => {
    const faulty = await openFaulty();
    const { world } = faulty;
    const one = content(300_000);
    await world.put(one);
    faulty.fault = () => ({ isWhole: true, cutAfter: 100_000 });
    for (const range of [undefined, [5, 10] as const])
      await expect(world.read(one.sha256, range)).rejects.toMatchObject({
        code: "STORE_FAILED",
        message: expect.stringMatching(/not the range/) as string,
      });
  });

  it("for long ends in STORE_FAILED in bounded time; no blob, record or file is left, and it works again after that", async () => {
    const faulty = await openFaulty(1000);
    const { world } = faulty;
    const one = content(1000);
    faulty.fault = ({ method }) => (method === "PUT" ? { status: 503, body: slowDown } : undefined);
    await expect(world.put(one)).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/503 SlowDown/) as string,
    });
    expect(await world.isEmpty()).toBe(true);
    faulty.fault = () => ({ isSilent: true });
    await expect(world.blobs.signedUrl(one.sha256)).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/nothing came for 1 s/) as string,
    });
    faulty.fault = undefined;
    expect(await world.blobs.stat(one.sha256)).toBeUndefined();
    expect(await world.put(one)).toMatchObject({ created: true });
  });

  it("that is full says so, and is not asked again", async () => {
    const faulty = await openFaulty();
    const { world, proxy } = faulty;
    const body = "<Error><Code>QuotaExceeded</Code><Message>The bucket is full.</Message></Error>";
    faulty.fault = ({ method }) => (method === "PUT" ? { status: 403, body } : undefined);
    await expect(world.put(content(1000))).rejects.toMatchObject({ code: "STORE_FULL" });
    expect(proxy.seen.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  it("in the middle of an upload in parts: parts are sent again, and a lost reply to the last step counts", async () => {
    const faulty = await openFaulty();
    const { world } = faulty;
    const one = content(11 * mib);
    const flaky = first(3, "PUT", { status: 503, body: slowDown });
    const lost = first(1, "POST", { loseReply: true });
    faulty.fault = (request) =>
      flaky(request) ?? (request.url?.includes("uploadId") ? lost(request) : undefined);
    expect(await world.put(one)).toMatchObject({ created: true });
    expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
  });

  it("for long in the middle of an upload in parts leaves no part, and shows no half blob", async () => {
    const faulty = await openFaulty(1000);
    const { world, proxy } = faulty;
    const one = content(11 * mib);
    faulty.fault = ({ method, url }) =>
      method === "PUT" && url?.includes("partNumber=2&") ? { status: 503, body: slowDown } : undefined;
    await expect(world.put(one)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await world.isEmpty()).toBe(true);
    expect(await world.blobs.stat(one.sha256)).toBeUndefined();
    expect(proxy.seen.some(({ method, url }) => method === "DELETE" && url.includes("uploadId"))).toBe(true);
  });
});
