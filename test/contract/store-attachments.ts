import { describe, expect, it } from "vitest";
import type { Store, TaskTime } from "../../server/store/store.ts";
import { recordLimits } from "../../shared/limits.ts";
import { done, failed, failure, jobId } from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore } from "./store-harness.ts";

const id = jobId(1);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The contract of every Store about what is kept beside tasks: attachments, costs, failures to try again, actions of administrators. */
export function attachmentContract(harness: StoreHarness): void {
  describe("attachments", () => {
    let store: Store;
    const { start, clock } = useStore(harness, (opened) => (store = opened));

    it("[ATTACH-1] are kept with the job, replaced by name, and counted to the customer", async () => {
      await start(0);
      const before = (await store.usage("ada")).outputBytes;
      const row = await store.attach(id, { name: "fsc.png", type: "image/png", content: bytes("four") });
      expect(row).toEqual({ name: "fsc.png", type: "image/png", size: 4, at: clock.now });
      await store.attach(id, { name: "a.txt", type: "text/plain", content: bytes("12") });
      expect((await store.usage("ada")).outputBytes - before).toBe(6);
      clock.now++;
      await store.attach(id, { name: "fsc.png", type: "image/png", content: bytes("longer") });
      expect((await store.usage("ada")).outputBytes - before).toBe(8);
      expect(await store.attachments(id)).toEqual([
        { name: "a.txt", type: "text/plain", size: 2, at: clock.now - 1 },
        { name: "fsc.png", type: "image/png", size: 6, at: clock.now },
      ]);
      expect((await store.attachment(id, "fsc.png"))?.content).toEqual(bytes("longer"));
      expect(await store.attachment(id, "none")).toBeUndefined();
      expect(await store.detach(id, "a.txt")).toBe(true);
      expect(await store.detach(id, "a.txt")).toBe(false);
      expect((await store.getJob(id))?.outputBytes).toBe(6);
    });

    it("[ATTACH-1] are at most so many of a job, and go with it", async () => {
      await start(0);
      const put = (n: number) =>
        store.attach(id, { name: `${n}`, type: "text/plain", content: bytes(`${n}`) });
      for (let n = 0; n < recordLimits.attachmentsPerJob; n++) await put(n);
      await refuses("QUOTA_EXCEEDED", put(recordLimits.attachmentsPerJob));
      await put(0);
      await refuses(
        "NOT_FOUND",
        store.attach(jobId(2), { name: "x", type: "text/plain", content: bytes("x") }),
      );
      await store.addCosts([{ job: id, computedMs: 5, attempts: 1, slowest: [] }]);
      await store.deleteJob(id);
      await start(0);
      expect(await store.attachments(id)).toEqual([]);
      expect((await store.jobCost(id)).attempts).toBe(0);
      expect((await store.usage("ada")).outputBytes).toBe(0);
    });
  });

  describe("costs", () => {
    let store: Store;
    const { start } = useStore(harness, (opened) => (store = opened));

    it("[COST-1] add up, with the slowest tasks, each once", async () => {
      await start(3);
      expect(await store.jobCost(id)).toEqual({ computedMs: 0, attempts: 0, slowest: [] });
      const run = (index: number, elapsedMs: number): TaskTime => ({ index, elapsedMs, client: "c" });
      await store.addCosts([
        { job: id, computedMs: 30, attempts: 2, slowest: [run(1, 20), run(0, 10)] },
        { job: jobId(9), computedMs: 1, attempts: 1, slowest: [] },
      ]);
      await store.addCosts([{ job: id, computedMs: 45, attempts: 2, slowest: [run(0, 40), run(1, 5)] }]);
      expect(await store.jobCost(id)).toEqual({
        computedMs: 75,
        attempts: 4,
        slowest: [run(0, 40), run(1, 20)],
      });
      const many = Array.from({ length: 30 }, (_, n) => run(n + 10, n));
      await store.addCosts([{ job: id, computedMs: 0, attempts: 30, slowest: many }]);
      const { slowest } = await store.jobCost(id);
      expect(slowest).toHaveLength(20);
      expect(slowest.slice(0, 3)).toEqual([run(0, 40), run(39, 29), run(38, 28)]);
    });
  });

  describe("chosen failures", () => {
    let store: Store;
    const { start } = useStore(harness, (opened) => (store = opened));

    it("[RETRY-1] [END-3] are requeued alone, and read page by page", async () => {
      await start(5);
      await store.closeJob(id);
      const of = (index: number, message: string) => ({
        ...failed(index),
        failure: { ...failure(index), message },
      });
      await store.claim(id, 5);
      await store.complete(id, [of(0, "odd"), of(1, "even"), of(2, "odd"), done(3), of(4, "even")]);
      const first = await store.failuresAfter(id, 0, 2);
      expect(first.map(({ failure: { index } }) => index)).toEqual([0, 1]);
      const second = await store.failuresAfter(id, first[1]!.seq, 9);
      expect(second.map(({ failure: { index } }) => index)).toEqual([2, 4]);
      const { requeued, job } = await store.requeueFailed(id, ({ message }) => message === "even");
      expect(requeued).toBe(2);
      expect(job).toMatchObject({ state: "closed", done: 1, failed: 2 });
      expect((await store.claim(id, 9)).map(({ index }) => index)).toEqual([1, 4]);
      expect((await store.requeueFailed(id, () => false)).requeued).toBe(0);
      await store.endJob(id, "quarantined", failure(0));
      await refuses(
        "WRONG_STATE",
        store.requeueFailed(id, () => true),
      );
      expect((await store.requeueFailed(id)).requeued).toBe(4);
    });
  });

  describe("actions of administrators", () => {
    let store: Store;
    const { clock } = useStore(harness, (opened) => (store = opened));

    it("[AUDIT-1] are listed newest first, and amended", async () => {
      const action = { actor: "root", token: "t_1", action: "POST /api/jobs/{id}/cancel" };
      const first = await store.recordAction({ ...action, subject: "j_a" });
      clock.now++;
      const second = await store.recordAction({ ...action, subject: "j_b" });
      await store.amendAction(first, { detail: "night run" });
      await store.amendAction(first, { refusal: "WRONG_STATE" });
      const older = {
        ...action,
        number: first,
        at: clock.now - 1,
        subject: "j_a",
        detail: "night run",
        refusal: "WRONG_STATE",
      };
      expect(await store.listActions(9)).toEqual([
        { ...action, number: second, at: clock.now, subject: "j_b", detail: "", refusal: undefined },
        older,
      ]);
      expect(await store.listActions(1, second)).toEqual([older]);
    });

    it("[AUDIT-1] are kept up to a number", async () => {
      const action = { actor: "root", token: "t_1", action: "POST /api/backup", subject: "" };
      const [first] = await Promise.all(
        Array.from({ length: recordLimits.auditEntries + 5 }, () => store.recordAction(action)),
      );
      const kept = await store.listActions(recordLimits.auditEntries + 5);
      expect(kept).toHaveLength(recordLimits.auditEntries);
      expect(kept.at(-1)?.number).toBe(first! + 5);
    });
  });
}
