import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { limits } from "../../shared/limits.ts";
import { chunkDigests } from "../support/chunks.ts";
import { content, keepMs, useWorld, type BlobHarness } from "./blob-harness.ts";

export function readContract(harness: BlobHarness): void {
  describe("[DATA-6] ranges", () => {
    const here = useWorld(harness);

    it("reads the bytes [start, end)", async () => {
      const { world } = here;
      const one = content(700_000);
      await world.put(one);
      for (const range of [
        [0, 1],
        [0, 700_000],
        [699_999, 700_000],
        [123_456, 654_321],
        [600_000, 800_000],
        [700_000, 800_000],
        [5, 5],
      ] as const)
        expect((await world.read(one.sha256, range)).equals(one.bytes.subarray(...range))).toBe(true);
    });

    it("fails with NOT_FOUND when the blob is not here", async () => {
      const { world } = here;
      await expect(world.read(content(1).sha256)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(world.read(content(1).sha256, [0, 1])).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    it("a reader that goes away ends the reading", async () => {
      const { world } = here;
      const one = content(3_000_000);
      await world.put(one);
      const reader = world.blobs.open(one.sha256);
      await reader.iterator().next();
      reader.destroy();
      await expect.poll(() => reader.closed).toBe(true);
    });

    it("are sent in pieces, many at once, without mixing", async () => {
      const { world } = here;
      const many = [content(1), content(700_000), content(2_000_000)];
      for (const one of many) await world.put(one);
      const sent = async ({ sha256, bytes }: (typeof many)[number], round: number) => {
        const received: Buffer[] = [];
        // Like a socket, the sink reads the written bytes later, and calls back when it is done with them.
        const write = (chunk: Buffer, _: string, done: () => void): void =>
          void setImmediate(() => {
            received.push(Buffer.from(chunk));
            done();
          });
        const range = [Math.min(round, bytes.length - 1), bytes.length] as const;
        await world.blobs.send(sha256, range, new Writable({ write }));
        expect(Buffer.concat(received).equals(bytes.subarray(...range))).toBe(true);
      };
      await Promise.all([0, 1, 2, 3, 4].flatMap((round) => many.map((one) => sent(one, round))));
    });

    it("a sink that closes ends the sending", async () => {
      const { world } = here;
      const one = content(3_000_000);
      await world.put(one);
      const sink = new PassThrough();
      const sending = world.blobs.send(one.sha256, [0, 3_000_000], sink);
      sink.once("data", () => sink.pause());
      await once(sink, "data");
      sink.destroy();
      await expect(sending).rejects.toThrow();
      await expect(world.blobs.send(one.sha256, [0, 1], sink)).rejects.toThrow("gone");
      await expect(world.blobs.send(content(1).sha256, [0, 1], new PassThrough())).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
    });
  });

  describe("[DATA-7] digests of a blob's chunks", () => {
    const here = useWorld(harness);
    const { chunkBytes, wholeBytes } = limits;

    it("are those of its chunks, kept beside it, and go with it", async () => {
      const { world } = here;
      for (const size of [0, 1, chunkBytes, chunkBytes + 1, wholeBytes + 1]) {
        const one = content(size);
        await world.put(one);
        const digests = await world.blobs.chunkDigests(one.sha256);
        expect(digests?.equals(chunkDigests(one.bytes))).toBe(true);
        const kept = await world.place.backend().readDigests(one.sha256);
        expect(kept?.equals(chunkDigests(one.bytes))).toBe(true);
        expect(await world.server().chunkDigests(one.sha256)).toEqual(digests);
      }
      expect(await world.server().check()).toEqual({ adopted: 0, missing: { count: 0, bytes: 0 } });
      world.now += keepMs + 1;
      await world.blobs.collect();
      expect(await world.isEmpty()).toBe(true);
    });

    it("are computed again when the stored digests are not whole; once for all simultaneous readers", async () => {
      const { world } = here;
      const one = content(2 * chunkBytes);
      await world.put(one);
      const [first, second] = await Promise.all([
        world.blobs.chunkDigests(one.sha256),
        world.blobs.chunkDigests(one.sha256),
      ]);
      expect(first).toBe(second);
      await world.place.backend().keepDigests(one.sha256, Buffer.from(first!.subarray(0, 32)));
      expect((await world.blobs.chunkDigests(one.sha256))?.equals(chunkDigests(one.bytes))).toBe(true);
    });

    it("are unknown of a blob that is damaged, and of one that is not here", async () => {
      const { world } = here;
      const one = content(2 * chunkBytes);
      await world.put(one);
      await world.place.damage(one.sha256, one.bytes.slice().fill(1, 5, 9));
      expect(await world.blobs.chunkDigests(one.sha256)).toBeUndefined();
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
      expect(await world.blobs.chunkDigests(content(1).sha256)).toBeUndefined();
    });
  });
}
