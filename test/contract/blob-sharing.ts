import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { BlobBackend } from "../../server/blobs/backend.ts";
import type { Store } from "../../server/store/store.ts";
import { ada, content, keepMs, stream, useWorld, type BlobHarness } from "./blob-harness.ts";
import { jobId, newJob, postKernel, task } from "./store-fixtures.ts";

const bob = { customer: "bob" };

/** Promises to several servers that have the same blobs. */
export function sharingContract(harness: BlobHarness): void {
  describe("several servers", () => {
    const here = useWorld(harness);

    it("[BLOB-1] a server sees at once the blobs that another server stores and removes", async () => {
      const { world } = here;
      const other = world.server();
      const one = content(5000);
      expect(await other.stat(one.sha256)).toBeUndefined();
      await world.put(one);
      expect(await other.stat(one.sha256, ada)).toEqual({ sha256: one.sha256, size: 5000 });
      expect((await world.read(one.sha256, [10, 20], other)).equals(one.bytes.subarray(10, 20))).toBe(true);
      expect(await world.put(one, ada, other)).toMatchObject({ created: false });
      await world.store.disownBlob(one.sha256, ada);
      await other.removeUnowned(one.sha256);
      // The first server has used the blob a moment ago.
      expect(await world.blobs.stat(one.sha256)).toBeUndefined();
      expect(await world.blobs.signedUrl(one.sha256)).toBeUndefined();
      await expect(world.read(one.sha256)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await world.put(one)).toMatchObject({ created: true });
      expect((await world.read(one.sha256, undefined, other)).equals(one.bytes)).toBe(true);
    });

    it("[BLOB-2] an upload goes on when another server starts, checks and collects", async () => {
      const { world } = here;
      const one = content(5000);
      const source = new Readable({ read() {} });
      source.push(one.bytes.subarray(0, 3000));
      const write = world.blobs.write(one.sha256, source, ada, 5000);
      await expect.poll(() => world.place.everything()).toHaveLength(1);
      const other = world.server();
      await other.check();
      world.now += keepMs + 1;
      await other.collect();
      expect(await other.stat(one.sha256)).toBeUndefined();
      source.push(one.bytes.subarray(3000));
      source.push(null);
      expect(await write).toMatchObject({ created: true });
      expect((await world.read(one.sha256, undefined, other)).equals(one.bytes)).toBe(true);
    });

    it("[BLOB-2] the same blob may come to several at once, for several customers", async () => {
      const { world } = here;
      const other = world.server();
      const one = content(300_000);
      await Promise.all([world.put(one), world.put(one, bob, other), world.put(one, ada, other)]);
      expect(await world.store.blobUsage()).toEqual({ count: 1, bytes: 300_000 });
      for (const owner of [ada, bob]) expect(await other.stat(one.sha256, owner)).toBeDefined();
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      expect(await world.place.everything()).toEqual([one.sha256]);
    });

    it("[BLOB-2] an upload that cannot be stored leaves no record, and those of others stay", async () => {
      const { world } = here;
      const backend = world.place.backend();
      const failing: BlobBackend = Object.assign(Object.create(backend) as BlobBackend, {
        find: (sha256: never) => backend.find(sha256),
        incoming: (sha256: never) => backend.incoming(sha256),
        received(file: Parameters<BlobBackend["received"]>[0]) {
          const received = backend.received(file);
          const publish = async (): Promise<void> => {
            // Meanwhile the other customer's upload to another server succeeds.
            if (file.sha256 === shared.sha256) await world.put(shared, bob);
            throw new Error("no space");
          };
          return { ...received, publish };
        },
      });
      const [alone, shared] = [content(100), content(200)];
      const broken = world.server({ backend: failing });
      await expect(world.put(alone, ada, broken)).rejects.toMatchObject({ code: "STORE_FAILED" });
      expect(await world.store.getBlob(alone.sha256)).toBeUndefined();
      await expect(world.put(shared, ada, broken)).rejects.toMatchObject({ code: "STORE_FAILED" });
      expect(await world.store.getBlob(shared.sha256, bob)).toBeDefined();
      expect(await world.store.getBlob(shared.sha256, ada)).toBeUndefined();
      expect((await world.read(shared.sha256)).equals(shared.bytes)).toBe(true);
    });

    it("[BLOB-3] one server at a time collects, and blobs kept by another server stay", async () => {
      const { world } = here;
      const [kept, loose] = [content(10), content(20)];
      for (const one of [kept, loose]) await world.put(one);
      let isTaken = true;
      const keeper = world.server({
        collectAlone: async (work) => (isTaken ? undefined : await work()),
      });
      const release = keeper.keep([kept.sha256]);
      world.now += keepMs + 1;
      expect(await keeper.collect()).toEqual({ removed: 0, bytes: 0 });
      expect(await world.place.everything()).toHaveLength(2);
      expect(await world.blobs.collect()).toEqual({ removed: 1, bytes: 20 });
      expect((await world.read(kept.sha256)).equals(kept.bytes)).toBe(true);
      release();
      world.now += keepMs + 1;
      isTaken = false;
      expect(await keeper.collect()).toEqual({ removed: 1, bytes: 10 });
    });

    it("[BLOB-3] a use that comes in between any two steps of a removal counts", async () => {
      const { world } = here;
      const { store, place } = world;
      await postKernel(store);
      await store.createJob(newJob());
      const uses = {
        "put by its owner": (one: ReturnType<typeof content>) => world.put(one),
        "put by another customer": (one: ReturnType<typeof content>) => world.put(one, bob),
        "a look": (one: ReturnType<typeof content>) => world.blobs.stat(one.sha256),
      };
      for (const [name, use] of Object.entries(uses))
        for (const step of ["before the record goes", "after the record went", "before the last question"]) {
          const one = content(1000);
          await world.put(one);
          world.now += keepMs + 1;
          let used: Promise<unknown> | undefined;
          const interrupt = async (at: string): Promise<void> => {
            if (at === step) await (used = use(one));
          };
          const steps = Object.assign(Object.create(store) as Store, {
            unreferencedBlobs: (before: number, limit: number) => store.unreferencedBlobs(before, limit),
            forgetBlob: async (sha256: typeof one.sha256, when?: number | "unowned") => {
              await interrupt("before the record goes");
              const isForgotten = await store.forgetBlob(sha256, when);
              await interrupt("after the record went");
              return isForgotten;
            },
            getBlob: async (sha256: typeof one.sha256) => {
              await interrupt("before the last question");
              return store.getBlob(sha256);
            },
          });
          await world.server({ store: steps }).collect();
          const told = await used;
          const what = `${name}, ${step}`;
          const record = await store.getBlob(one.sha256);
          if (told) expect(record, what).toBeDefined();
          if (record) expect((await world.read(one.sha256)).equals(one.bytes), what).toBe(true);
          expect((await place.everything()).includes(one.sha256), what).toBe(record !== undefined);
        }
    });

    it("[BLOB-3] a removal between a use's look and its record is noticed", async () => {
      const { world } = here;
      const { store } = world;
      let isToRemove = true;
      const late = Object.assign(Object.create(store) as Store, {
        getBlob: (sha256: never, owner: never) => store.getBlob(sha256, owner),
        checkRoom: (customer: string, bytes: number) => store.checkRoom(customer, bytes),
        blobUsage: () => store.blobUsage(),
        forgetBlob: (sha256: never, when: never) => store.forgetBlob(sha256, when),
        async touchBlob(...given: Parameters<Store["touchBlob"]>) {
          if (isToRemove) await world.blobs.collect();
          isToRemove = false;
          return store.touchBlob(...given);
        },
      });
      const user = world.server({ store: late });
      const [looked, put] = [content(100), content(200)];
      await world.put(looked);
      world.now += keepMs + 1;
      expect(await user.stat(looked.sha256)).toBeUndefined();
      expect(await world.isEmpty()).toBe(true);

      await world.put(put);
      world.now += keepMs + 1;
      isToRemove = true;
      expect(await world.put(put, bob, user)).toMatchObject({ created: true });
      expect((await world.read(put.sha256)).equals(put.bytes)).toBe(true);
    });

    it("[BLOB-3] a removal that takes what was stored meanwhile puts it back", async () => {
      const { world } = here;
      const { place, store } = world;
      const one = content(100);
      await world.put(one);
      // The remover goes on, for a blob that is lost, when the same blob has just been stored again.
      await place.damage(one.sha256);
      world.now += keepMs + 1;
      const [forgotten, stored] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const remover = place.backend();
      const slow: BlobBackend = Object.assign(Object.create(remover) as BlobBackend, {
        isShared: true,
        showLife: undefined,
        removeLeftovers: undefined,
        async remove(...given: Parameters<BlobBackend["remove"]>) {
          forgotten.resolve();
          await stored.promise;
          await remover.remove(...given);
        },
      });
      const removal = world.server({ backend: slow }).collect();
      await forgotten.promise;
      const backend = place.backend();
      const storing: BlobBackend = Object.assign(Object.create(backend) as BlobBackend, {
        isShared: true,
        find: (sha256: never) => backend.find(sha256),
        incoming: (sha256: never) => backend.incoming(sha256),
        received(file: Parameters<BlobBackend["received"]>[0]) {
          const received = backend.received(file);
          const publish = async (): Promise<void> => {
            await received.publish();
            stored.resolve();
            await removal;
          };
          return { ...received, publish };
        },
      });
      expect(await world.put(one, ada, world.server({ backend: storing }))).toMatchObject({ created: true });
      expect(await store.getBlob(one.sha256, ada)).toBeDefined();
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
    });

    it("[BLOB-3] uses on one server and collections on another agree, however they interleave", async () => {
      const { world } = here;
      const { store, place } = world;
      await postKernel(store);
      await store.createJob(newJob());
      const hesitant = <T extends object>(of: T): T =>
        new Proxy(of, {
          get(target, key) {
            const value: unknown = Reflect.get(target, key, target);
            if (typeof value !== "function" || !/^(touch|get|forget|find|remove)/.test(String(key)))
              return typeof value === "function" ? value.bind(target) : value;
            return async (...given: unknown[]): Promise<unknown> => {
              for (let left = Math.floor(Math.random() * 4); left > 0; left--) await turn();
              return (value as (...given: unknown[]) => unknown).apply(target, given);
            };
          },
        });
      const server = () => world.server({ store: hesitant(store), backend: hesitant(place.backend()) });
      const [first, second] = [server(), server()];
      for (let round = 0; round < harness.rounds; round++) {
        const one = content(500);
        await world.put(one, ada, first);
        world.now += keepMs + 1;
        const name = { sha256: one.sha256, size: 500 };
        const [, used] = await Promise.allSettled([
          first.collect(),
          [
            () => world.put(one, ada, second),
            () => world.put(one, bob, second),
            () => second.stat(one.sha256),
            () => store.submit(jobId(1), [task(round, { refs: [name] })]),
          ][round % 4]!(),
        ]);
        const record = await store.getBlob(one.sha256);
        const what = `round ${round}`;
        if (used.status === "fulfilled" && used.value) expect(record, what).toBeDefined();
        if (record) expect((await world.read(one.sha256)).equals(one.bytes), what).toBe(true);
        expect((await place.everything()).includes(one.sha256), what).toBe(record !== undefined);
      }
    });

    it("[BLOB-2] an upload without a size, of a customer who has no room, leaves nothing", async () => {
      const { world } = here;
      const one = content(5000);
      world.blobs = world.server({ quotaBytes: 1000 });
      await expect(world.blobs.write(one.sha256, stream(one), ada)).rejects.toMatchObject({
        code: "STORE_FULL",
      });
      expect(await world.isEmpty()).toBe(true);
    });
  });
}
