import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import type { BlobOwner, Store } from "../../server/store/store.ts";
import { makeClientId } from "../../shared/ids.ts";
import { ada, content, stream, useWorld, type BlobHarness, type Content } from "./blob-harness.ts";

export function uploadContract(harness: BlobHarness): void {
  describe("[DATA-1] a blob is verified before it can be seen", () => {
    const here = useWorld(harness);

    it("stores the arriving bytes, in pieces of any size", async () => {
      const { world } = here;
      for (const size of [0, 1, 999, 1000, 300_000]) {
        const one = content(size);
        expect(await world.put(one)).toEqual({ sha256: one.sha256, size, created: true });
        expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
        expect(await world.blobs.stat(one.sha256)).toEqual({ sha256: one.sha256, size });
        expect(await world.store.getBlob(one.sha256)).toEqual({ sha256: one.sha256, size });
      }
    });

    it("takes any async iterable, with no size announced", async () => {
      const { world } = here;
      const one = content(5000);
      async function* pieces() {
        yield one.bytes.subarray(0, 4000);
        yield one.bytes.subarray(4000);
      }
      expect(await world.blobs.write(one.sha256, pieces(), ada)).toMatchObject({ size: 5000, created: true });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    });

    it("does not write an existing blob again, and leaves the source unread", async () => {
      const { world } = here;
      const one = content(5000);
      await world.put(one);
      const source = stream(one);
      expect(await world.blobs.write(one.sha256, source, ada)).toEqual({
        sha256: one.sha256,
        size: 5000,
        created: false,
      });
      expect(source.readableDidRead).toBe(false);
      expect(source.destroyed).toBe(false);
    });

    it("refuses corrupt bytes and leaves nothing", async () => {
      const { world } = here;
      const one = content(5000);
      const corrupt = { ...one, bytes: Uint8Array.from(one.bytes) };
      corrupt.bytes[4321]! ^= 1;
      await expect(world.put(corrupt)).rejects.toMatchObject({ code: "HASH_MISMATCH" });
      expect(await world.isEmpty()).toBe(true);
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
      expect(await world.put(one)).toMatchObject({ created: true });
    });

    it.each([4000, 6000])("refuses 5,000 bytes announced as %i and leaves nothing", async (announced) => {
      const { world } = here;
      const one = content(5000);
      await expect(world.blobs.write(one.sha256, stream(one), ada, announced)).rejects.toMatchObject({
        code: "HASH_MISMATCH",
        message: expect.stringMatching(String(announced)) as string,
      });
      expect(await world.isEmpty()).toBe(true);
    });

    it("an upload that breaks off leaves nothing", async () => {
      const { world } = here;
      const one = content(5000);
      const source = new Readable({ read() {} });
      source.push(one.bytes.subarray(0, 3000));
      const write = world.blobs.write(one.sha256, source, ada, 5000);
      await expect.poll(() => world.place.everything()).toHaveLength(1);
      source.destroy(new Error("connection reset"));
      await expect(write).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringMatching(/early/) as string,
      });
      expect(await world.isEmpty()).toBe(true);
    });

    it("does not destroy the source of an upload it refuses: the answer goes out on the same connection", async () => {
      const { world } = here;
      const one = content(5000);
      const source = stream(one);
      await expect(world.blobs.write(one.sha256, source, ada, 2000)).rejects.toMatchObject({
        code: "HASH_MISMATCH",
      });
      expect(source.destroyed).toBe(false);
      source.destroy();
    });

    it("refuses more than a blob may have, before it reads", async () => {
      const { world } = here;
      const source = stream(content(10));
      await expect(
        world.blobs.write(content(1).sha256, source, ada, limits.blobBytes + 1),
      ).rejects.toMatchObject({
        code: "TOO_LARGE",
      });
      expect(source.readableDidRead).toBe(false);
    });

    it("leaves nothing when the record cannot be written", async () => {
      const { world } = here;
      const { store } = world;
      const failing = Object.assign(Object.create(store) as Store, {
        blobUsage: () => store.blobUsage(),
        getBlob: async () => undefined,
        checkRoom: async () => {},
        touchBlob: () => Promise.reject(new PlatformError("STORE_FULL", "The disk is full.")),
      });
      const one = content(10);
      const broken = world.server({ store: failing, quotaBytes: 100 });
      await expect(broken.write(one.sha256, stream(one), ada, 10)).rejects.toMatchObject({
        code: "STORE_FULL",
      });
      expect(await world.isEmpty()).toBe(true);
      expect(await world.put(one)).toMatchObject({ created: true });
    });

    it("many uploads of one blob at once make one blob", async () => {
      const { world } = here;
      const one = content(200_000);
      const written = await Promise.all(Array.from({ length: 8 }, () => world.put(one)));
      expect(written.filter(({ created }) => created)).toHaveLength(1);
      expect(await world.place.everything()).toEqual([one.sha256]);
      expect(await world.store.blobUsage()).toEqual({ count: 1, bytes: 200_000 });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    });

    it("a corrupt upload beside a good one of the same blob does no harm", async () => {
      const { world } = here;
      const one = content(100_000);
      const corrupt = { ...one, bytes: randomBytes(100_000) };
      const [bad, good] = await Promise.allSettled([world.put(corrupt), world.put(one)]);
      expect(bad).toMatchObject({ reason: { code: "HASH_MISMATCH" } });
      expect(good).toMatchObject({ value: { created: true } });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    });
  });

  describe("[DATA-4] the quota", () => {
    const here = useWorld(harness);

    it("refuses an upload that would exceed it, before it reads", async () => {
      const { world } = here;
      world.blobs = world.server({ quotaBytes: 10_000 });
      await world.put(content(6000));
      const one = content(5000);
      const source = stream(one);
      await expect(world.blobs.write(one.sha256, source, ada, 5000)).rejects.toMatchObject({
        code: "STORE_FULL",
      });
      expect(source.readableDidRead).toBe(false);
      expect(await world.put(content(4000))).toMatchObject({ created: true });
    });

    it("refuses in the middle when no size was announced, and leaves nothing", async () => {
      const { world } = here;
      world.blobs = world.server({ quotaBytes: 10_000 });
      const one = content(20_000);
      await expect(world.blobs.write(one.sha256, stream(one), ada)).rejects.toMatchObject({
        code: "STORE_FULL",
      });
      expect(await world.isEmpty()).toBe(true);
      expect(await world.put(content(10_000))).toMatchObject({ created: true });
    });

    it("counts uploads that are under way", async () => {
      const { world } = here;
      world.blobs = world.server({ quotaBytes: 10_000 });
      const source = new Readable({ read() {} });
      const slow = content(8000);
      const write = world.blobs.write(slow.sha256, source, ada, 8000);
      await expect.poll(() => world.place.everything()).toHaveLength(1);
      await expect(world.put(content(4000))).rejects.toMatchObject({ code: "STORE_FULL" });
      source.destroy(new Error("gone"));
      await expect(write).rejects.toMatchObject({ code: "BAD_REQUEST" });
      expect(await world.put(content(4000))).toMatchObject({ created: true });
    });

    it("makes room by collecting unused blobs", async () => {
      const { world } = here;
      world.blobs = world.server({ quotaBytes: 10_000 });
      await world.put(content(6000));
      world.now += 1001;
      expect(await world.put(content(6000))).toMatchObject({ created: true });
      expect(await world.store.blobUsage()).toEqual({ count: 1, bytes: 6000 });
    });
  });

  describe("[TRANSFER-2] an upload in stretches", () => {
    const here = useWorld(harness);
    const client = { client: makeClientId(randomBytes) };
    const [size, half] = [300_000, 150_000];

    /** Sends some of an upload over a connection that breaks then. */
    async function broken(one: Content, [from, to]: [number, number], owner: BlobOwner): Promise<void> {
      const source = new Readable({ read() {} });
      const stretch = { offset: from, size: one.bytes.length, isLast: true };
      const taken = here.world.blobs.append(one.sha256, source, owner, stretch);
      source.push(one.bytes.subarray(from, to));
      await expect.poll(() => source.readableLength).toBe(0);
      source.destroy(new Error("connection reset"));
      await expect(taken).rejects.toMatchObject({ code: "BAD_REQUEST" });
    }
    const from = (one: Content, offset: number): Readable =>
      stream({ sha256: one.sha256, bytes: one.bytes.subarray(offset) });

    it("goes on behind the last byte, over as many connections as it takes", async () => {
      const { world } = here;
      const one = content(size);
      await broken(one, [0, 100_000], client);
      await broken(one, [100_000, half], client);
      expect(await world.blobs.uploaded(one.sha256, client)).toEqual({
        offset: half,
        size,
        isComplete: false,
      });
      const next = { offset: half, size, isLast: false };
      expect(
        await world.blobs.append(
          one.sha256,
          stream({ ...one, bytes: one.bytes.subarray(half, 200_000) }),
          client,
          next,
        ),
      ).toEqual({ offset: 200_000 });
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
      const last = { offset: 200_000, size, isLast: true };
      expect(await world.blobs.append(one.sha256, from(one, 200_000), client, last)).toEqual({
        sha256: one.sha256,
        size,
        created: true,
      });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      expect(await world.blobs.uploaded(one.sha256, client)).toEqual({
        offset: size,
        size,
        isComplete: true,
      });
      expect(await world.place.everything()).toEqual([one.sha256]);
    });

    it("refuses another byte than the next, and says which that is", async () => {
      const { world } = here;
      const one = content(size);
      await broken(one, [0, half], client);
      for (const stretch of [
        { offset: half - 1, size, isLast: true },
        { offset: half, size: size + 1, isLast: true },
      ])
        await expect(
          world.blobs.append(one.sha256, from(one, stretch.offset), client, stretch),
        ).rejects.toMatchObject({ code: "CONFLICT", offset: half });
      expect(await world.blobs.uploaded(one.sha256, client)).toMatchObject({ offset: half });
    });

    it("[READ-1] is its sender's alone: others neither see it nor go on with it", async () => {
      const { world } = here;
      const one = content(size);
      await broken(one, [0, half], client);
      const stretch = { offset: half, size, isLast: true };
      for (const other of [ada, { client: makeClientId(randomBytes) }]) {
        expect(await world.blobs.uploaded(one.sha256, other)).toBeUndefined();
        await expect(world.blobs.append(one.sha256, from(one, half), other, stretch)).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
      }
    });

    it("[DATA-1] wrong bytes are not kept", async () => {
      const { world } = here;
      const one = content(size);
      await broken({ ...one, bytes: randomBytes(size) }, [0, half], client);
      const stretch = { offset: half, size, isLast: true };
      await expect(world.blobs.append(one.sha256, from(one, half), client, stretch)).rejects.toMatchObject({
        code: "HASH_MISMATCH",
      });
      expect(await world.isEmpty()).toBe(true);
      expect(await world.blobs.uploaded(one.sha256, client)).toBeUndefined();
    });

    it("a connection that still brings bytes is cut when its sender asks where to go on", async () => {
      const { world } = here;
      const one = content(size);
      const source = new Readable({ read() {} });
      const first = world.blobs.append(one.sha256, source, client, { offset: 0, size, isLast: true });
      first.catch(() => undefined);
      source.push(one.bytes.subarray(0, half));
      await expect.poll(() => source.readableLength === 0 && world.place.everything()).toHaveLength(1);
      expect(await world.blobs.uploaded(one.sha256, client)).toMatchObject({ offset: half });
      await expect(first).rejects.toMatchObject({ code: "BAD_REQUEST" });
      expect(source.destroyed).toBe(true);
    });

    it("is let go of after half an hour without a byte, or when its room is needed", async () => {
      const { world } = here;
      world.blobs = world.server({ quotaBytes: 2 * size });
      const [first, second] = [content(size), content(size)];
      await broken(first, [0, half], client);
      world.now += 29 * 60_000;
      await world.blobs.collect();
      expect(await world.blobs.uploaded(first.sha256, client)).toMatchObject({ offset: half });
      world.now += 31 * 60_000;
      await world.blobs.collect();
      expect(await world.blobs.uploaded(first.sha256, client)).toBeUndefined();
      expect(await world.isEmpty()).toBe(true);
      await broken(second, [0, half], client);
      // The quota counts a partial upload in its full size, and a blob that needs the room replaces the upload.
      const large = content(size + 1);
      expect(await world.put(large)).toMatchObject({ created: true });
      expect(await world.blobs.uploaded(second.sha256, client)).toBeUndefined();
    });

    it("a sender has sixteen at most, and the oldest goes", async () => {
      const { world } = here;
      const all = Array.from({ length: 17 }, () => content(1000));
      for (const one of all) await broken(one, [0, 500], client);
      const kept = await Promise.all(all.map(({ sha256 }) => world.blobs.uploaded(sha256, client)));
      expect(kept.map((one) => one !== undefined)).toEqual([false, ...Array<boolean>(16).fill(true)]);
    });
  });
}
