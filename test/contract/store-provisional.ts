import { describe, expect, it } from "vitest";
import type { Payload } from "../../shared/wire/protocol.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { NewOutput, Store, WindowName } from "../../server/store/store.ts";
import {
  blob,
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  nothingStated,
  output,
  outputOf,
  sha256,
  task,
} from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore } from "./store-harness.ts";

const all = 1_000_000;
const id = jobId(1);
const quorum = { quorum: 2 } as const;

const client = (name: string) => `c_${name}` as ClientId;

function named(number: number): WindowName {
  return { number, client: client(`${number}`), cohort: `cohort ${number}` };
}

/** An output by which results of one task differ. */
function from(number: number, index: number): NewOutput {
  return { index, output: new TextEncoder().encode(`window ${number} task ${index}`), refs: [] };
}

function size(outputs: readonly { output: Payload }[]): number {
  return outputs.reduce((sum, one) => sum + (one.output instanceof Uint8Array ? one.output.length : 0), 0);
}

/** The contract of every Store about results that are not accepted yet. */
export function provisionalContract(harness: StoreHarness): void {
  describe("provisional results", () => {
    let store: Store;
    const {
      claimIndexes: claim,
      clock,
      readAll,
      restart,
      start,
    } = useStore(harness, (opened) => (store = opened));
    const claimIndexes = () => claim(all);
    const keep = (number: number, indexes: readonly number[], job = id) =>
      store.keepProvisional(
        job,
        named(number),
        indexes.map((index) => from(number, index)),
      );
    const provisional = async (after = -1, limit = all, bytes = Infinity) =>
      (await store.provisionalResults(id, after, limit, bytes)).map((one) => [one.index, one.client]);

    /** Checks twice, the second time after a restart where the store has lasting data. */
    const eachSide = async (check: () => Promise<void>) => {
      await check();
      if (!harness.durable) return;
      await restart();
      await check();
    };

    it("[VERIFY-2] are on disk, seen by no customer, and their tasks are not handed out again", async () => {
      await start(6);
      await store.closeJob(id);
      expect(await claimIndexes()).toHaveLength(6);
      expect(await keep(1, [4, 1, 9])).toMatchObject({ kept: [4, 1], dropped: [9] });
      await store.unclaim(id, [0, 1, 4]);
      await eachSide(async () => {
        expect(await store.getJob(id)).toMatchObject({
          state: "closed",
          total: 6,
          done: 0,
          provisional: 2,
          lastSeq: 0,
          outputBytes: size([from(1, 1), from(1, 4)]),
        });
        expect(await store.jobTotals()).toMatchObject({ openTasks: 6, provisional: 2 });
        expect(await readAll()).toEqual([]);
        expect(await provisional()).toEqual([
          [1, client("1")],
          [4, client("1")],
        ]);
        const open = await claimIndexes();
        expect(open).not.toContain(1);
        expect(open).not.toContain(4);
      });
    });

    it("[VERIFY-2] become outcomes in the order given, and end their job", async () => {
      await start(4, { id });
      await store.closeJob(id);
      await keep(1, [2, 0]);
      await keep(1, [3]);
      await store.complete(id, [done(1)]);
      await eachSide(async () => {
        expect(await store.listWindows()).toMatchObject([{ indexes: [2, 0, 3] }]);
      });
      const ended = await store.acceptProvisional(id, 1, [3, 2, 0], { audited: 2 });
      expect(ended).toMatchObject({
        accepted: [3, 2, 0],
        dropped: [],
        job: { state: "finished", done: 4, provisional: 0, lastSeq: 4 },
      });
      await eachSide(async () => {
        expect(await readAll()).toEqual([
          { ...done(1), seq: 1 },
          ...[3, 2, 0].map((index, at) => ({ state: "done", ...from(1, index), seq: at + 2 })),
        ]);
        expect((await store.getJob(id))?.statement).toEqual({ ...nothingStated, strangers: 3, audited: 2 });
        expect(await store.listWindows()).toEqual([]);
        expect(await store.acceptProvisional(id, 1, [3, 2, 0], { audited: 2 })).toMatchObject({
          accepted: [],
          dropped: [3, 2, 0],
          job: { statement: { strangers: 3, audited: 2 } },
        });
      });
    });

    it("[VERIFY-2] several of one transaction: kept, accepted, withdrawn and kept again", async () => {
      await start(10);
      await claimIndexes();
      const verbs = await Promise.all([
        keep(1, [0, 1]),
        keep(2, [5, 6]),
        keep(1, [2, 3]),
        store.acceptProvisional(id, 1, [0, 1, 2]),
        store.withdrawProvisional(id, 2, [6]),
        keep(1, [4, 0]),
        store.complete(id, [done(5)]),
      ]);
      expect(verbs).toMatchObject([
        { job: { provisional: 2 } },
        { job: { provisional: 4 } },
        { job: { provisional: 6 } },
        { accepted: [0, 1, 2], job: { provisional: 2, done: 3 } },
        { reopened: [6], job: { provisional: 1 } },
        { kept: [4], dropped: [0] },
        { accepted: [5], job: { provisional: 1, done: 4 } },
      ]);
      await store.unclaim(id, [7, 8, 9]);
      expect(await claimIndexes()).toEqual([3, 6, 7, 8, 9]);
      await eachSide(async () => expect(await provisional()).toEqual([[4, client("1")]]));
    });

    it("[ONCE-2] a repeated result is kept once, as it came first", async () => {
      await start(2);
      await keep(1, [0]);
      await eachSide(async () => {
        const again = { index: 0, output: outputOf(7), refs: [] };
        const { job, kept } = await store.keepProvisional(id, named(1), [again]);
        expect([kept, job.outputBytes]).toEqual([[0], size([from(1, 0)])]);
        expect(await store.provisionalOutput(id, 1, 0)).toEqual(from(1, 0));
      });
      expect((await store.acceptProvisional(id, 1, [0, 0])).job.lastSeq).toBe(1);
    });

    it("[ONCE-1] [END-2] none are kept of a task that has an outcome, or of a job that is over", async () => {
      await start(2);
      await store.complete(id, [done(0)]);
      expect(await keep(1, [0, 1])).toMatchObject({ kept: [1], dropped: [0] });
      await store.endJob(id, "cancelled");
      expect(await keep(1, [1])).toMatchObject({ kept: [], dropped: [1], job: { provisional: 0 } });
      await refuses("NOT_FOUND", keep(1, [1], jobId(2)));
    });

    it("[VERIFY-4] withdrawn ones leave their tasks open, unless another window has a result", async () => {
      await start(5);
      await claimIndexes();
      await keep(1, [0, 1, 2]);
      await keep(2, [2, 3]);
      const checks = { audited: 1, wrong: 1, withdrawn: 3, irreproducible: true };
      const { reopened, job } = await store.withdrawProvisional(id, 1, undefined, checks);
      expect(reopened).toEqual([0, 1]);
      expect(job).toMatchObject({ provisional: 2, outputBytes: size([from(2, 2), from(2, 3)]) });
      expect(await claimIndexes()).toEqual([0, 1]);
      await eachSide(async () => {
        expect((await store.getJob(id))?.statement).toEqual({ ...nothingStated, ...checks });
        expect(await store.withdrawProvisional(id, 1, undefined, checks)).toMatchObject({ reopened: [] });
      });
      await store.unclaim(id, [0, 1, 2, 4]);
      expect(await claimIndexes()).toEqual([0, 1, 4]);
      expect((await store.withdrawProvisional(id, 2)).reopened).toEqual([2, 3]);
    });

    it("[VERIFY-4] some of a window are withdrawn, the others stay as they are", async () => {
      await store.touchBlob(blob("large"), { client: client("1") });
      await start(9);
      const outputs: NewOutput[] = [from(1, 5), { index: 8, output: blob("large"), refs: [] }, from(1, 6)];
      await store.keepProvisional(id, named(1), outputs);
      await keep(1, [0, 1, 2]);
      expect((await store.withdrawProvisional(id, 1, [2, 5, 0, 1, 7])).reopened).toEqual([5, 0, 1, 2]);
      await eachSide(async () => {
        expect(await store.listWindows()).toMatchObject([{ number: 1, indexes: [8, 6] }]);
        expect(await store.getJob(id)).toMatchObject({ provisional: 2, outputBytes: size([from(1, 6)]) });
        expect(await store.provisionalOutput(id, 1, 8)).toEqual(outputs[1]);
        expect(await store.provisionalOutput(id, 1, 5)).toBeUndefined();
      });
      expect((await store.acceptProvisional(id, 1, [8, 6])).accepted).toEqual([8, 6]);
      expect(await readAll()).toMatchObject([outputs[1], outputs[2]]);
    });

    it("[VERIFY-4] accepting some of a window forgets the others, and gives their claims back", async () => {
      await start(4);
      await claimIndexes();
      await keep(1, [0, 1, 2]);
      await keep(2, [2]);
      expect(await store.acceptProvisional(id, 1, [1, 3])).toMatchObject({
        accepted: [1],
        dropped: [3],
        job: { done: 1, provisional: 1, outputBytes: size([from(1, 1), from(2, 2)]) },
      });
      expect(await claimIndexes()).toEqual([0]);
      expect(await store.provisionalOutput(id, 1, 0)).toBeUndefined();
    });

    it("[ONCE-1] an outcome that comes otherwise makes a result no longer provisional", async () => {
      await start(4);
      await claimIndexes();
      await keep(1, [0, 1, 2]);
      expect((await store.complete(id, [done(0), failed(1)])).job.provisional).toBe(1);
      await eachSide(async () => {
        expect(await provisional()).toEqual([[2, client("1")]]);
        expect(await store.listWindows()).toMatchObject([{ indexes: [2] }]);
        expect(await store.provisionalOutput(id, 1, 0)).toBeUndefined();
      });
      await store.requeueFailed(id);
      await eachSide(async () => {
        expect(await provisional()).toEqual([[2, client("1")]]);
        expect(await claimIndexes()).toContain(1);
      });
      expect(await store.acceptProvisional(id, 1, [0, 1, 2])).toMatchObject({
        accepted: [2],
        dropped: [0, 1],
        job: { done: 2, provisional: 0, outputBytes: size([done(0) as NewOutput, from(1, 2)]) },
      });
    });

    it("[CLAIM-2] a quorum claims and gives back tasks as if they had no result", async () => {
      await start(3, { verify: quorum });
      expect(await claimIndexes()).toEqual([0, 1, 2]);
      await keep(1, [0, 1]);
      await store.unclaim(id, [0]);
      expect(await claimIndexes()).toEqual([0]);
      await keep(2, [0]);
      expect((await store.getJob(id))?.provisional).toBe(2);
      expect((await store.withdrawProvisional(id, 1)).reopened).toEqual([1]);
      expect(await claimIndexes()).toEqual([]);
      await keep(3, [1]);
      if (harness.durable) {
        await restart();
        expect(await claimIndexes()).toEqual([0, 1, 2]);
      }
      await store.acceptProvisional(id, 2, [0]);
      await store.unclaim(id, [0, 1, 2]);
      expect(await claimIndexes()).toEqual([1, 2]);
    });

    it("[VERIFY-5] other verification may be asked for, of a job that has not ended", async () => {
      await start(3, { key: "k" });
      await claimIndexes();
      await keep(1, [0]);
      await store.noteChecks(id, { checked: 2, irreproducible: true });
      const changed = { verify: quorum, compare: { rel: 1e-6 } };
      await store.setVerify(id, changed);
      expect(await claimIndexes()).toEqual([0]);
      const { key } = newJob({ key: "k" });
      await eachSide(async () => {
        expect(await store.getJob(id)).toMatchObject({
          ...changed,
          statement: { ...nothingStated, checked: 2 },
        });
        // The key stands for the options that the job was made with ([KEY-1]).
        expect(await store.createJob(newJob({ key, id: jobId(2) }))).toMatchObject({
          created: false,
          job: changed,
        });
        await refuses("CONFLICT", store.createJob(newJob({ key, id: jobId(2), ...changed })), /verify/);
      });
      await store.unclaim(id, [0, 1, 2]);
      await store.setVerify(id, { verify: "audit", compare: "bits" });
      expect(await claimIndexes()).toEqual([1, 2]);
      await store.endJob(id, "cancelled");
      await refuses("WRONG_STATE", store.setVerify(id, changed));
    });

    it("[KEY-1] a key stands for one way of verification", async () => {
      await start(0, { key: "k" });
      for (const other of [{ verify: quorum }, { compare: "kernel" as const }, { check: true }])
        await refuses("CONFLICT", store.createJob(newJob({ key: "k", id: jobId(2), ...other })));
    });

    const ends: [string, () => Promise<unknown>][] = [
      ["is cancelled", () => store.endJob(id, "cancelled")],
      ["is quarantined", () => store.endJob(id, "quarantined", failure(0))],
      ["is blocked", () => store.endJob(jobId(9), "cancelled")],
      [
        "finishes",
        async () => {
          await store.complete(jobId(9), [done(0)]);
          await store.closeJob(jobId(9));
          await store.closeJob(id);
          await store.complete(id, [done(0), done(1)]);
        },
      ],
    ];
    it.each(ends)("[END-2] [QUOTA-1] go when their job %s", async (_, end) => {
      await start(1, { id: jobId(9) });
      await start(2, { after: [jobId(9)] });
      await keep(1, [0, 1]);
      expect((await store.usage("ada")).outputBytes).toBe(size([from(1, 0), from(1, 1)]));
      await end();
      const outcomes = size((await readAll()) as NewOutput[]);
      await eachSide(async () => {
        const job = (await store.getJob(id))!;
        expect(job).toMatchObject({ provisional: 0, outputBytes: outcomes });
        expect((await store.usage("ada")).outputBytes).toBe(2 * outcomes - (outcomes && outputOf(1).length));
        expect(await store.listWindows()).toEqual([]);
        expect(await provisional()).toEqual([]);
        expect(await store.withdrawProvisional(id, 1)).toMatchObject({ reopened: [] });
      });
    });

    it("[END-3] a quarantined job that is requeued begins without", async () => {
      await start(2);
      await claimIndexes();
      await keep(1, [0]);
      await store.endJob(id, "quarantined", failure(0));
      await store.requeueFailed(id);
      expect(await claimIndexes()).toEqual([0, 1]);
      expect(await keep(1, [0])).toMatchObject({ kept: [0], job: { provisional: 1 } });
    });

    it("[DATA-3] keep the blobs that hold them or that they refer to", async () => {
      for (const text of ["output", "ref", "loose"])
        await store.touchBlob(blob(text), { client: client("1") });
      await start(1);
      await store.keepProvisional(id, named(1), [{ index: 0, output: blob("output"), refs: [blob("ref")] }]);
      expect(await store.unreferencedBlobs(clock.now + 1, 9)).toEqual([blob("loose")]);
      expect(await store.jobHasBlob(id, sha256("ref"))).toBe(true);
      expect((await store.usage("ada")).blobBytes).toBe(9);
      await store.acceptProvisional(id, 1, [0]);
      expect(await readAll()).toMatchObject([{ output: blob("output"), refs: [blob("ref")] }]);
      await store.deleteJob(id);
      expect(await store.unreferencedBlobs(clock.now + 1, 9)).toHaveLength(3);
    });

    it("[VERIFY-2] are read page by page, lowest task first, all results of a task together", async () => {
      await start(300, { verify: quorum });
      const odd = Array.from({ length: 150 }, (_, k) => 2 * k + 1);
      await keep(1, odd.toReversed());
      await keep(2, [7, 3, 200]);
      const rows = await store.provisionalResults(id, 2, 3, Infinity);
      expect(rows).toEqual([
        { ...from(1, 3), client: client("1") },
        { ...from(2, 3), client: client("2") },
        { ...from(1, 5), client: client("1") },
      ]);
      expect(await provisional(5, 1)).toEqual([
        [7, client("1")],
        [7, client("2")],
      ]);
      expect(await provisional(-1, all, 1)).toEqual([[1, client("1")]]);
      expect(await provisional(299)).toEqual([]);
      expect(await provisional(-1, 0)).toEqual([]);
      const pages: unknown[] = [];
      for (let after = -1; ;) {
        const page = await store.provisionalResults(id, after, 10, 500);
        if (page.length === 0) break;
        pages.push(...page);
        after = page.at(-1)!.index;
      }
      expect(pages).toEqual(await store.provisionalResults(id, -1, all, Infinity));
      expect(pages).toHaveLength(153);
    });

    it("[VERIFY-3] windows are listed with their tasks in order of delivery, and the time of the first", async () => {
      await start(5);
      await start(5, { id: jobId(2) });
      await keep(1, [3, 0]);
      clock.now++;
      await keep(2, [1], jobId(2));
      await keep(1, [4]);
      await eachSide(async () =>
        expect(await store.listWindows()).toEqual([
          { ...named(1), job: id, at: 10_000, indexes: [3, 0, 4] },
          { ...named(2), job: jobId(2), at: 10_001, indexes: [1] },
        ]),
      );
      await store.deleteJob(id);
      expect(await store.listWindows()).toMatchObject([{ number: 2 }]);
      await refuses("NOT_FOUND", store.provisionalResults(id, -1, 1, 1));
      expect(await store.provisionalOutput(id, 1, 3)).toBeUndefined();
    });

    it("[VERIFY-6] tasks can be read for an audit, claimed or not, ended or not", async () => {
      await store.touchBlob(blob("input"), { customer: "ada" });
      await start(3);
      await store.submit(id, [task(7, { input: blob("input") })]);
      await store.checkpoint(id, 1, inputOf(1));
      await store.complete(id, [done(2)]);
      const plain = { attempts: 0, checkpoint: undefined };
      expect(await store.readTasks(id, [7, 5, 1, 2])).toEqual([
        { ...task(7, { input: blob("input") }), ...plain },
        { ...task(1), ...plain },
        { ...task(2), ...plain },
      ]);
      expect(await store.readTasks(id, [])).toEqual([]);
    });

    it("[VERIFY-9] a checkpoint comes with its author, the newest", async () => {
      await start(2);
      const by = { client: client("1"), cohort: "lab" };
      for (const index of [0, 1]) await store.checkpoint(id, index, inputOf(8), by);
      await store.checkpoint(id, 1, inputOf(9));
      await eachSide(async () => {
        const claimed = await store.claim(id, 2);
        expect(claimed).toMatchObject([
          { checkpoint: inputOf(8), checkpointBy: by },
          { checkpoint: inputOf(9), checkpointBy: undefined },
        ]);
      });
    });

    it("[VERIFY-10] standings are kept until they are old", async () => {
      await store.saveStanding({ subject: "c_1", clean: 1, burnt: false });
      await store.saveStanding({ subject: "cohort:lab", clean: 7, burnt: false });
      clock.now++;
      await store.saveStanding({ subject: "cohort:lab", clean: 0, burnt: true });
      await eachSide(async () =>
        expect(await store.listStandings()).toEqual([
          { subject: "c_1", clean: 1, burnt: false },
          { subject: "cohort:lab", clean: 0, burnt: true },
        ]),
      );
      await store.collectStandings(10_001);
      expect(await store.listStandings()).toMatchObject([{ subject: "cohort:lab" }]);
    });

    it("[HISTORY-1] samples are kept for as long as asked, one a minute and server", async () => {
      const sample = (minute: number, figures: string, server = "a") => ({ minute, server, figures });
      await store.addSample(sample(100, "{}"), 0);
      await store.addSample(sample(101, "{}", "b"), 0);
      await store.addSample(sample(101, '{"old":1}'), 0);
      await store.addSample(sample(101, '{"done":2}'), 0);
      const kept = [sample(101, '{"done":2}'), sample(101, "{}", "b")];
      await eachSide(async () => expect(await store.listSamples(0)).toEqual([sample(100, "{}"), ...kept]));
      expect(await store.listSamples(101)).toEqual(kept);
      await store.addSample(sample(102, "{}"), 102);
      expect(await store.listSamples(0)).toEqual([sample(102, "{}")]);
    });

    it("[VERIFY-11] a statement adds up", async () => {
      await start(3);
      await keep(1, [0]);
      await keep(2, [1]);
      await store.acceptProvisional(id, 1, [0], { audited: 1, unverified: 0, checked: 1 });
      await store.withdrawProvisional(id, 2, [1], { audited: 1, wrong: 1, withdrawn: 1 });
      await store.noteChecks(id, { checked: 4 });
      await eachSide(async () =>
        expect((await store.getJob(id))?.statement).toEqual({
          strangers: 1,
          audited: 2,
          unverified: 0,
          checked: 5,
          wrong: 1,
          withdrawn: 1,
          irreproducible: false,
        }),
      );
    });

    it("[QUOTA-1] count to what the customer keeps, while they are there", async () => {
      await start(6);
      const check = (outputs: readonly NewOutput[]) =>
        eachSide(async () => expect((await store.usage("ada")).outputBytes).toBe(size(outputs)));
      await keep(1, [0, 1]);
      await keep(2, [2, 3, 4]);
      await check([0, 1].map((k) => from(1, k)).concat([2, 3, 4].map((k) => from(2, k))));
      await store.withdrawProvisional(id, 2, [3]);
      await store.acceptProvisional(id, 1, [1]);
      await check([from(1, 1), from(2, 2), from(2, 4)]);
      await store.complete(id, [done(4)]);
      await store.acceptProvisional(id, 2, [2, 4]);
      await check([from(1, 1), from(2, 2), output(4)]);
      await store.deleteJob(id);
      await check([]);
    });
  });
}
