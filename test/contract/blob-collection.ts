import { describe, expect, it } from "vitest";
import { content, keepMs, useWorld, type BlobHarness } from "./blob-harness.ts";
import { jobId, newJob, postKernel, task } from "./store-fixtures.ts";

export function collectionContract(harness: BlobHarness): void {
  describe("[DATA-3] collection", () => {
    const here = useWorld(harness);

    it("removes blobs that no job refers to and nobody asked for lately", async () => {
      const { world } = here;
      const { store, blobs, place } = world;
      const [kept, asked, loose] = [content(10), content(20), content(30)];
      for (const one of [kept, asked, loose]) await world.put(one);
      await postKernel(store);
      await store.createJob(newJob());
      const name = { sha256: kept.sha256, size: 10 };
      await store.submit(jobId(1), [task(0, { refs: [name] })]);
      world.now += keepMs - 10;
      expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
      await blobs.stat(asked.sha256);
      world.now += 20;
      expect(await blobs.collect()).toEqual({ removed: 1, bytes: 30 });
      expect((await place.everything()).sort()).toEqual([kept.sha256, asked.sha256].sort());
      expect(await blobs.stat(loose.sha256)).toBeUndefined();

      await store.deleteJob(jobId(1));
      world.now += keepMs + 1;
      expect(await blobs.collect()).toEqual({ removed: 2, bytes: 30 });
      expect(await world.isEmpty()).toBe(true);
      expect(await world.put(loose)).toMatchObject({ created: true });
    });

    it("[PRECACHE-4] leaves what is kept for clients to fetch, as long as that lasts", async () => {
      const { world } = here;
      const { blobs } = world;
      const [kept, other] = [content(10), content(20)];
      for (const one of [kept, other]) await world.put(one);
      const [first, second] = [blobs.keep([kept.sha256]), blobs.keep([kept.sha256])];
      world.now += keepMs + 1;
      expect(await blobs.collect()).toEqual({ removed: 1, bytes: 20 });
      first();
      first();
      world.now += keepMs + 1;
      expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
      expect(await world.read(kept.sha256)).toEqual(kept.bytes);
      second();
      // The blob was in use until now.
      expect(await blobs.collect()).toEqual({ removed: 0, bytes: 0 });
      world.now += keepMs + 1;
      expect(await blobs.collect()).toEqual({ removed: 1, bytes: 10 });
    });

    it("an upload, a look and a submission beside a collection all agree with it", async () => {
      const { world } = here;
      const { store, blobs, place } = world;
      await postKernel(store);
      await store.createJob(newJob());
      for (let round = 0; round < harness.rounds; round++) {
        const one = content(2000);
        await world.put(one);
        world.now += keepMs + 1;
        const name = { sha256: one.sha256, size: 2000 };
        const [, , seen, submitted] = await Promise.allSettled([
          blobs.collect(),
          round % 3 === 0 ? world.put(one) : undefined,
          round % 3 === 1 ? blobs.stat(one.sha256) : undefined,
          round % 3 === 2 ? store.submit(jobId(1), [task(round, { refs: [name] })]) : undefined,
        ]);
        // A caller that was told of the blob finds it.
        const told = [true, (seen as { value?: unknown }).value, submitted.status === "fulfilled"][round % 3];
        if (told) expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
        const isThere = (await place.everything()).includes(one.sha256);
        expect((await store.getBlob(one.sha256)) !== undefined).toBe(isThere);
      }
    });
  });

  describe("[DATA-5] after a crash", () => {
    const here = useWorld(harness);

    it("records a blob that was stored but not recorded, and reports one that is recorded but not there", async () => {
      const { world } = here;
      const { store, place } = world;
      const [lost, cut, fine, unrecorded] = [content(10), content(20), content(30), content(40)];
      for (const one of [lost, cut, fine, unrecorded]) await world.put(one);
      await place.damage(lost.sha256);
      await place.damage(cut.sha256, cut.bytes.subarray(0, 5));
      await store.forgetBlob(unrecorded.sha256);
      world.blobs = world.server();
      const { blobs } = world;
      expect(await blobs.check()).toEqual({ adopted: 1, missing: { count: 2, bytes: 30 } });
      expect(await store.getBlob(unrecorded.sha256)).toEqual({ sha256: unrecorded.sha256, size: 40 });
      expect(await blobs.stat(lost.sha256)).toBeUndefined();
      expect(await blobs.stat(cut.sha256)).toBeUndefined();
      for (const one of [lost, cut]) expect(await world.put(one)).toMatchObject({ created: true });
      expect(await blobs.check()).toEqual({ adopted: 0, missing: { count: 0, bytes: 0 } });
    });
  });
}
