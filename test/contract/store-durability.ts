import { describe, expect, it } from "vitest";
import type { Store } from "../../server/store/store.ts";
import { blob, done, failed, inputOf, jobId, sha256, task, tasks } from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore, inMemory } from "./store-harness.ts";
import { runRandomOperations } from "./store-model.ts";

const ada = { customer: "ada" };
const id = jobId(1);

/** The contract of every Store about closing and restarts, and about random operations. */
export function durabilityContract(harness: StoreHarness): void {
  describe("durability", () => {
    let store: Store;
    const { claimIndexes, clock, readAll, restart, start } = useStore(harness, (opened) => (store = opened));

    describe("closing", () => {
      it("finishes earlier verbs, refuses later verbs", async () => {
        await start(1);
        const last = store.complete(id, [done(0)]);
        await Promise.all([store.close(), store.close()]);
        expect((await last).accepted).toEqual([0]);
        await refuses("SHUTTING_DOWN", store.getJob(id));
        await refuses("SHUTTING_DOWN", store.complete(id, [done(0)]));
      });

      it.runIf(harness.durable)(
        `[DUR-1] [DUR-2] everything acknowledged is there after a restart${inMemory(harness)}`,
        async () => {
          await store.touchBlob(blob("a"), ada);
          await store.putKernel(sha256("input 1"), inputOf(1), "ada");
          await store.ban("c_a", "rude");
          await start(0, { key: "k" });
          await store.submit(id, [...tasks(0, 9), task(9, { refs: [blob("a")] })]);
          await claimIndexes(5);
          await store.complete(id, [done(4), failed(2)]);
          await store.setPaused(id, true);
          const before = [
            await store.getJob(id),
            await readAll(),
            await store.listBans(),
            await store.blobUsage(),
          ];
          await restart();
          const after = [
            await store.getJob(id),
            await readAll(),
            await store.listBans(),
            await store.blobUsage(),
          ];
          expect(after).toEqual(before);
          expect(await store.getKernel(sha256("input 1"))).toEqual(inputOf(1));
          expect(await store.unreferencedBlobs(clock.now + 1, 9)).toEqual([]);
          expect(await store.submit(id, tasks(0, 9))).toMatchObject({ added: 0, repeated: 9 });
          expect(await store.complete(id, [done(2), done(0)])).toMatchObject({
            accepted: [0],
            job: { lastSeq: 3 },
          });
        },
      );
    });

    describe("random operations against a model", () => {
      it.each(["1", "2", "3", "4", "5", "6", "7", "8"])(
        "[ONCE-1] [CLAIM-1] [CLAIM-2] seed %s",
        async (seed) => {
          store = await runRandomOperations(store, harness.durable ? restart : undefined, seed, 300);
        },
      );
    });
  });
}
