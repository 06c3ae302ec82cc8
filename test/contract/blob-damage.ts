import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../shared/ids.ts";
import { content, stream, useWorld, type BlobHarness, type BlobWorld, type Content } from "./blob-harness.ts";

/** Blobs whose bytes changed after they were stored. */
export function damageContract(harness: BlobHarness): void {
  describe("[ROT-4] [ROT-5] a blob that is damaged", () => {
    const here = useWorld(harness);
    const bob = { customer: "bob" };

    const damage = async ({ place }: BlobWorld, { sha256, bytes }: Content) => {
      const changed = Uint8Array.from(bytes);
      changed[changed.length >> 1]! ^= 4;
      await place.damage(sha256, changed);
    };
    /** A server that tells of damages. */
    const listen = (world: BlobWorld) => {
      const told: [Sha256, boolean][] = [];
      world.blobs = world.server({
        keepMs: 1e9,
        onDamage: (sha256, isDamaged) => told.push([sha256, isDamaged]),
      });
      return told;
    };

    it("is set aside when it is verified, and no reader gets it again, also after a restart", async () => {
      const { world } = here;
      const told = listen(world);
      const [one, other] = [content(3000), content(3000)];
      for (const each of [one, other]) await world.put(each);
      await damage(world, one);
      expect(await Promise.all([one, other].map(({ sha256 }) => world.blobs.verify(sha256)))).toEqual([
        "damaged",
        "sound",
      ]);
      expect(told).toEqual([[one.sha256, true]]);
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
      await expect(world.read(one.sha256)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await world.blobs.verify(one.sha256)).toBe("missing");
      const next = world.server();
      await next.readDamaged();
      expect([...next.damaged]).toEqual([one.sha256]);
      expect((await next.check()).missing).toEqual({ count: 1, bytes: 3000 });
      expect(await next.verify(content(1).sha256)).toBe("missing");
    });

    it("is mended by putting it again", async () => {
      const { world } = here;
      const told = listen(world);
      const one = content(3000);
      await world.put(one);
      for (const owner of [{ customer: "ada" }, bob]) {
        await damage(world, one);
        await world.blobs.verify(one.sha256);
        expect(await world.put(one, owner)).toMatchObject({ size: 3000 });
        expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      }
      expect(told.map(([, isDamaged]) => isDamaged)).toEqual([true, false, true, false]);
      expect(world.blobs.damaged.size).toBe(0);
      expect(await world.place.everything()).toEqual([one.sha256]);
      expect(await world.store.blobUsage()).toEqual({ count: 1, bytes: 3000 });
    });

    it("of another size is set aside at the start", async () => {
      const { world } = here;
      const told = listen(world);
      const one = content(3000);
      await world.put(one);
      await world.place.damage(one.sha256, one.bytes.subarray(0, 2999));
      expect((await world.blobs.check()).missing).toEqual({ count: 1, bytes: 3000 });
      expect(told).toEqual([[one.sha256, true]]);
    });

    it("goes with its record, and its damage with it", async () => {
      const { world } = here;
      const told = listen(world);
      const one = content(3000);
      await world.put(one);
      await damage(world, one);
      await world.blobs.verify(one.sha256);
      await world.store.disownBlob(one.sha256);
      await world.blobs.removeUnowned(one.sha256);
      expect(await world.isEmpty()).toBe(true);
      expect(told.at(-1)).toEqual([one.sha256, false]);
    });

    if (harness.isShared)
      it("is that for every server, and mended for every server", async () => {
        const { world } = here;
        const told = listen(world);
        const [finder, mender] = [world.server(), world.server()];
        const one = content(3000);
        await world.put(one);
        await damage(world, one);
        expect(await finder.verify(one.sha256)).toBe("damaged");
        for (const server of [world.blobs, mender]) expect(await server.stat(one.sha256)).toBeUndefined();
        expect(told).toEqual([[one.sha256, true]]);
        expect([...mender.damaged]).toEqual([one.sha256]);
        await mender.write(one.sha256, stream(one), bob);
        expect(await world.blobs.stat(one.sha256)).toMatchObject({ size: 3000 });
        expect(told.at(-1)).toEqual([one.sha256, false]);
        expect(await mender.verify(one.sha256)).toBe("sound");
        expect(await world.place.everything()).toEqual([one.sha256]);
      });

    if (harness.verifiesItself) return;

    /** A blob counts as verified for an hour. */
    const longAgo = (world: BlobWorld) => (world.now += 3_600_001);

    it("is found and mended by putting it again", async () => {
      const { world } = here;
      const told = listen(world);
      const one = content(3000);
      await world.put(one);
      await damage(world, one);
      longAgo(world);
      expect(await world.put(one)).toMatchObject({ size: 3000 });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      expect(told.map(([, isDamaged]) => isDamaged)).toEqual([true, false]);
    });

    it("is replaced by the bytes of a customer who did not have it, without a look at it", async () => {
      const { world } = here;
      const one = content(3000);
      await world.put(one);
      await damage(world, one);
      expect(await world.put(one, bob)).toMatchObject({ created: true });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    });

    it("ends a verified reply before its last bytes, and is set aside", async () => {
      const { world } = here;
      const one = content(600_000);
      await world.put(one);
      await damage(world, one);
      longAgo(world);
      const sink = new PassThrough();
      const got: Buffer[] = [];
      sink.on("data", (chunk: Buffer) => got.push(chunk));
      await expect(world.blobs.send(one.sha256, [0, 600_000], sink, true)).rejects.toMatchObject({
        code: "STORE_FAILED",
      });
      expect(Buffer.concat(got).length).toBeLessThan(600_000);
      expect([...world.blobs.damaged]).toEqual([one.sha256]);
    });
  });
}
