import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { openBlobDirectory, type BlobDirectory } from "../../server/blobs/blob-directory.ts";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { jobId, newJob, postKernel, task } from "../contract/store-fixtures.ts";
import { chunkDigests } from "../support/chunks.ts";

const keepMs = 1000;
const ada = { customer: "ada" };
let root: string;
let now: number;
let store: Store;
let blobs: BlobDirectory;

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), "manyhands-blobs-")), "blobs");
  now = 1_000_000;
  store = await openMemoryStore({ clock: () => now });
  blobs = open();
});
afterEach(async () => {
  await store.close();
  await rm(join(root, ".."), { recursive: true });
});

function open(quotaBytes = 10_000_000): BlobDirectory {
  return openBlobDirectory(root, { quotaBytes, keepMs, store, clock: () => now });
}

interface Content {
  readonly bytes: Uint8Array;
  readonly sha256: Sha256;
}

function content(size: number): Content {
  const bytes = randomBytes(size);
  return { bytes, sha256: sha256Hex(bytes) };
}

/** The bytes in pieces, as a request brings them. */
function stream({ bytes }: Content, pieceBytes = 1000): Readable {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return Readable.from(pieces);
}

async function put(what: Content) {
  return blobs.write(what.sha256, stream(what), ada, what.bytes.length);
}

async function read(sha256: Sha256, range?: readonly [number, number]): Promise<Buffer> {
  return Buffer.concat(await blobs.open(sha256, range).toArray());
}

/** Every file below the directory, by its path. */
async function files(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function untouched(): Promise<void> {
  expect(await files()).toEqual([]);
  expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
}

describe("[DATA-7] digests of a blob's chunks", () => {
  const { chunkBytes } = limits;

  it("are those of its chunks, kept beside it, and go with it", async () => {
    for (const size of [0, 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes - 1]) {
      const one = content(size);
      await put(one);
      const digests = await blobs.chunkDigests(one.sha256);
      expect(digests?.equals(chunkDigests(one.bytes))).toBe(true);
      const kept = join(root, one.sha256.slice(0, 2), `${one.sha256}.chunks`);
      expect((await readFile(kept)).equals(chunkDigests(one.bytes))).toBe(true);
      expect(await open().chunkDigests(one.sha256)).toEqual(digests);
    }
    expect(await open().check()).toEqual({ adopted: 0, missing: { count: 0, bytes: 0 } });
    now += keepMs + 1;
    await blobs.collect();
    expect(await files()).toEqual([]);
  });

  it("are computed again when what was kept is not whole; once for all who ask at a time", async () => {
    const one = content(2 * chunkBytes);
    await put(one);
    const [first, second] = await Promise.all([
      blobs.chunkDigests(one.sha256),
      blobs.chunkDigests(one.sha256),
    ]);
    expect(first).toBe(second);
    await truncate(join(root, one.sha256.slice(0, 2), `${one.sha256}.chunks`), 32);
    expect((await blobs.chunkDigests(one.sha256))?.equals(chunkDigests(one.bytes))).toBe(true);
  });

  it("are refused of a blob that is damaged on disk, and unknown of one that is not here", async () => {
    const one = content(2 * chunkBytes);
    await put(one);
    await writeFile(join(root, one.sha256.slice(0, 2), one.sha256), one.bytes.fill(1, 5, 9));
    await expect(blobs.chunkDigests(one.sha256)).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/damaged/) as string,
    });
    expect(await files()).toEqual([one.sha256]);
    expect(await blobs.chunkDigests(content(1).sha256)).toBeUndefined();
  });
});

describe("[DATA-1] a blob is verified before it can be seen", () => {
  it("stores what arrives, in whatever pieces", async () => {
    for (const size of [0, 1, 999, 1000, 300_000]) {
      const one = content(size);
      expect(await put(one)).toEqual({ sha256: one.sha256, size, created: true });
      expect((await read(one.sha256)).equals(one.bytes)).toBe(true);
      expect(await blobs.stat(one.sha256)).toEqual({ sha256: one.sha256, size });
      expect(await store.getBlob(one.sha256)).toEqual({ sha256: one.sha256, size });
    }
  });

  it("takes any async iterable, with no size announced", async () => {
    const one = content(5000);
    async function* pieces() {
      yield one.bytes.subarray(0, 4000);
      yield one.bytes.subarray(4000);
    }
    expect(await blobs.write(one.sha256, pieces(), ada)).toMatchObject({ size: 5000, created: true });
    expect((await read(one.sha256)).equals(one.bytes)).toBe(true);
  });

  it("does not write again what is there, and leaves the source unread", async () => {
    const one = content(5000);
    await put(one);
    const source = stream(one);
    expect(await blobs.write(one.sha256, source, ada)).toEqual({
      sha256: one.sha256,
      size: 5000,
      created: false,
    });
    expect(source.readableDidRead).toBe(false);
    expect(source.destroyed).toBe(false);
  });

  it("refuses corrupt bytes and leaves nothing", async () => {
    const one = content(5000);
    const corrupt = { ...one, bytes: Uint8Array.from(one.bytes) };
    corrupt.bytes[4321]! ^= 1;
    await expect(put(corrupt)).rejects.toMatchObject({ code: "HASH_MISMATCH" });
    await untouched();
    expect(await blobs.stat(one.sha256)).toBeUndefined();
    expect(await put(one)).toMatchObject({ created: true });
  });

  it.each([4000, 6000])("refuses 5,000 bytes announced as %i and leaves nothing", async (announced) => {
    const one = content(5000);
    await expect(blobs.write(one.sha256, stream(one), ada, announced)).rejects.toMatchObject({
      code: "HASH_MISMATCH",
      message: expect.stringMatching(String(announced)) as string,
    });
    await untouched();
  });

  it("an upload that breaks off leaves nothing", async () => {
    const one = content(5000);
    const source = new Readable({ read() {} });
    source.push(one.bytes.subarray(0, 3000));
    const write = blobs.write(one.sha256, source, ada, 5000);
    await expect.poll(files).toHaveLength(1);
    source.destroy(new Error("connection reset"));
    await expect(write).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(/early/) as string,
    });
    await untouched();
  });

  it("does not destroy the source of an upload it refuses: the answer goes out on the same connection", async () => {
    const one = content(5000);
    const source = stream(one);
    await expect(blobs.write(one.sha256, source, ada, 2000)).rejects.toMatchObject({ code: "HASH_MISMATCH" });
    expect(source.destroyed).toBe(false);
    source.destroy();
  });

  it("refuses more than a blob may have, before it reads", async () => {
    const source = stream(content(10));
    await expect(blobs.write(content(1).sha256, source, ada, limits.blobBytes + 1)).rejects.toMatchObject({
      code: "TOO_LARGE",
    });
    expect(source.readableDidRead).toBe(false);
  });

  it("leaves nothing when the record cannot be written", async () => {
    const failing = Object.assign(Object.create(store) as Store, {
      blobUsage: () => store.blobUsage(),
      getBlob: async () => undefined,
      checkRoom: async () => {},
      touchBlob: () => Promise.reject(new PlatformError("STORE_FULL", "The disk is full.")),
    });
    const one = content(10);
    const directory = openBlobDirectory(root, { quotaBytes: 100, keepMs, store: failing });
    await expect(directory.write(one.sha256, stream(one), ada, 10)).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    await untouched();
    expect(await put(one)).toMatchObject({ created: true });
  });

  it("many uploads of one blob at once make one file", async () => {
    const one = content(200_000);
    const written = await Promise.all(Array.from({ length: 8 }, () => put(one)));
    expect(written.filter(({ created }) => created)).toHaveLength(1);
    expect(await files()).toEqual([one.sha256]);
    expect(await store.blobUsage()).toEqual({ count: 1, bytes: 200_000 });
    expect((await read(one.sha256)).equals(one.bytes)).toBe(true);
  });

  it("a corrupt upload beside a good one of the same blob does no harm", async () => {
    const one = content(100_000);
    const corrupt = { ...one, bytes: randomBytes(100_000) };
    const [bad, good] = await Promise.allSettled([put(corrupt), put(one)]);
    expect(bad).toMatchObject({ reason: { code: "HASH_MISMATCH" } });
    expect(good).toMatchObject({ value: { created: true } });
    expect((await read(one.sha256)).equals(one.bytes)).toBe(true);
  });
});

describe("[DATA-6] ranges", () => {
  it("reads the bytes [start, end)", async () => {
    const one = content(700_000);
    await put(one);
    for (const range of [
      [0, 1],
      [0, 700_000],
      [699_999, 700_000],
      [123_456, 654_321],
      [5, 5],
    ] as const)
      expect((await read(one.sha256, range)).equals(one.bytes.subarray(...range))).toBe(true);
  });

  it("fails with NOT_FOUND when the blob is not here", async () => {
    await expect(read(content(1).sha256)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(read(content(1).sha256, [0, 1])).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("a reader that goes away frees its file", async () => {
    const one = content(3_000_000);
    await put(one);
    const reader = blobs.open(one.sha256);
    await reader.iterator().next();
    reader.destroy();
    await expect.poll(() => reader.closed).toBe(true);
  });

  it("are sent in pieces, many at once, without mixing", async () => {
    const many = [content(1), content(700_000), content(2_000_000)];
    for (const one of many) await put(one);
    const sent = async ({ sha256, bytes }: (typeof many)[number], round: number) => {
      const received: Buffer[] = [];
      // Like a socket, the sink looks at the written bytes later, and lets go of them with the callback.
      const write = (chunk: Buffer, _: string, done: () => void): void =>
        void setImmediate(() => {
          received.push(Buffer.from(chunk));
          done();
        });
      const range = [Math.min(round, bytes.length - 1), bytes.length] as const;
      await blobs.send(sha256, range, new Writable({ write }));
      expect(Buffer.concat(received).equals(bytes.subarray(...range))).toBe(true);
    };
    await Promise.all([0, 1, 2, 3, 4].flatMap((round) => many.map((one) => sent(one, round))));
  });

  it("a sink that closes ends the sending", async () => {
    const one = content(3_000_000);
    await put(one);
    const sink = new PassThrough();
    const sending = blobs.send(one.sha256, [0, 3_000_000], sink);
    sink.once("data", () => sink.pause());
    await once(sink, "data");
    sink.destroy();
    await expect(sending).rejects.toThrow("gone");
    await expect(blobs.send(one.sha256, [0, 1], sink)).rejects.toThrow("gone");
    await expect(blobs.send(content(1).sha256, [0, 1], new PassThrough())).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});

describe("[DATA-4] the quota", () => {
  it("refuses an upload that would exceed it, before it reads", async () => {
    blobs = open(10_000);
    await put(content(6000));
    const one = content(5000);
    const source = stream(one);
    await expect(blobs.write(one.sha256, source, ada, 5000)).rejects.toMatchObject({ code: "STORE_FULL" });
    expect(source.readableDidRead).toBe(false);
    expect(await put(content(4000))).toMatchObject({ created: true });
  });

  it("refuses in the middle when no size was announced, and leaves nothing", async () => {
    blobs = open(10_000);
    const one = content(20_000);
    await expect(blobs.write(one.sha256, stream(one), ada)).rejects.toMatchObject({ code: "STORE_FULL" });
    await untouched();
    expect(await put(content(10_000))).toMatchObject({ created: true });
  });

  it("counts uploads that are under way", async () => {
    blobs = open(10_000);
    const source = new Readable({ read() {} });
    const slow = content(8000);
    const write = blobs.write(slow.sha256, source, ada, 8000);
    await expect.poll(files).toHaveLength(1);
    await expect(put(content(4000))).rejects.toMatchObject({ code: "STORE_FULL" });
    source.destroy(new Error("gone"));
    await expect(write).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(await put(content(4000))).toMatchObject({ created: true });
  });

  it("makes room by collecting what nobody needs", async () => {
    blobs = open(10_000);
    await put(content(6000));
    now += keepMs + 1;
    expect(await put(content(6000))).toMatchObject({ created: true });
    expect(await store.blobUsage()).toEqual({ count: 1, bytes: 6000 });
  });
});

describe("[DATA-3] collection", () => {
  it("removes blobs that no job refers to and nobody asked for lately", async () => {
    const [kept, asked, loose] = [content(10), content(20), content(30)];
    for (const one of [kept, asked, loose]) await put(one);
    await postKernel(store);
    await store.createJob(newJob());
    const name = { sha256: kept.sha256, size: 10 };
    await store.submit(jobId(1), [task(0, { refs: [name] })]);
    now += keepMs - 10;
    expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
    await blobs.stat(asked.sha256);
    now += 20;
    expect(await blobs.collect()).toEqual({ removed: 1, bytes: 30 });
    expect((await files()).sort()).toEqual([kept.sha256, asked.sha256].sort());
    expect(await blobs.stat(loose.sha256)).toBeUndefined();

    await store.deleteJob(jobId(1));
    now += keepMs + 1;
    expect(await blobs.collect()).toEqual({ removed: 2, bytes: 30 });
    await untouched();
    expect(await put(loose)).toMatchObject({ created: true });
  });

  it("goes through more blobs than one step takes", async () => {
    for (let n = 0; n < 1100; n++) {
      const one = content(8);
      await mkdir(join(root, one.sha256.slice(0, 2)), { recursive: true });
      await writeFile(join(root, one.sha256.slice(0, 2), one.sha256), one.bytes);
    }
    await blobs.check();
    now += keepMs + 1;
    expect(await blobs.collect()).toEqual({ removed: 1100, bytes: 8800 });
    await untouched();
  });

  it("[PRECACHE-4] leaves what is kept for clients to fetch, as long as that lasts", async () => {
    const [kept, other] = [content(10), content(20)];
    for (const one of [kept, other]) await put(one);
    const [first, second] = [blobs.keep([kept.sha256]), blobs.keep([kept.sha256])];
    now += keepMs + 1;
    expect(await blobs.collect()).toEqual({ removed: 1, bytes: 20 });
    first();
    first();
    now += keepMs + 1;
    expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
    expect(await read(kept.sha256)).toEqual(kept.bytes);
    second();
    // The blob was in use until now.
    expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
    now += keepMs + 1;
    expect(await blobs.collect()).toEqual({ removed: 1, bytes: 10 });
  });

  it("an upload, a look and a submission beside a collection all agree with it", async () => {
    await postKernel(store);
    await store.createJob(newJob());
    for (let round = 0; round < 30; round++) {
      const one = content(2000);
      await put(one);
      now += keepMs + 1;
      const name = { sha256: one.sha256, size: 2000 };
      const [, , seen, submitted] = await Promise.allSettled([
        blobs.collect(),
        round % 3 === 0 ? put(one) : undefined,
        round % 3 === 1 ? blobs.stat(one.sha256) : undefined,
        round % 3 === 2 ? store.submit(jobId(1), [task(round, { refs: [name] })]) : undefined,
      ]);
      // A caller that was told of the blob finds it.
      const told = [true, (seen as { value?: unknown }).value, submitted.status === "fulfilled"][round % 3];
      if (told) expect((await read(one.sha256)).equals(one.bytes)).toBe(true);
      expect((await store.getBlob(one.sha256)) !== undefined).toBe((await files()).includes(one.sha256));
    }
  });
});

describe("[DATA-5] after a crash", () => {
  it("removes uploads that were under way", async () => {
    await writeFile(join(root, "incoming", "half"), "half");
    open();
    await untouched();
  });

  it("records a blob that was stored but not recorded, and reports one that is recorded but not there", async () => {
    const [lost, cut, fine, unrecorded] = [content(10), content(20), content(30), content(40)];
    for (const one of [lost, cut, fine, unrecorded]) await put(one);
    await rm(join(root, lost.sha256.slice(0, 2), lost.sha256));
    await truncate(join(root, cut.sha256.slice(0, 2), cut.sha256), 5);
    await store.forgetBlob(unrecorded.sha256);
    blobs = open();
    expect(await blobs.check()).toEqual({ adopted: 1, missing: { count: 2, bytes: 30 } });
    expect(await store.getBlob(unrecorded.sha256)).toEqual({ sha256: unrecorded.sha256, size: 40 });
    expect(await blobs.stat(lost.sha256)).toBeUndefined();
    expect(await blobs.stat(cut.sha256)).toBeUndefined();
    for (const one of [lost, cut]) expect(await put(one)).toMatchObject({ created: true });
    expect(await blobs.check()).toEqual({ adopted: 0, missing: { count: 0, bytes: 0 } });
  });

  it("leaves files alone that are not blobs", async () => {
    await mkdir(join(root, "ab"));
    await writeFile(join(root, "ab", "README"), "mine");
    await writeFile(join(root, "notes"), "mine");
    expect(await blobs.check()).toMatchObject({ adopted: 0 });
    expect(await readFile(join(root, "notes"), "utf8")).toBe("mine");
  });

  it("refuses a directory that is a file", async () => {
    await writeFile(`${root}-file`, "");
    expect(() => openBlobDirectory(`${root}-file`, { quotaBytes: 1, keepMs, store })).toThrow(
      /cannot be written/,
    );
  });
});
