import { describe, expect, it } from "vitest";
import type { ClientId } from "../../shared/ids.ts";
import type { BlobOwner, Store } from "../../server/store/store.ts";
import { noQuotas, nothing, type Usage } from "../../server/store/quotas.ts";
import {
  blob,
  done,
  failed,
  failure,
  inputOf,
  jobId,
  newJob,
  outputOf,
  postKernel,
  sha256,
  task,
  tasks,
} from "./store-fixtures.ts";
import { refuses, type StoreHarness, useStore } from "./store-harness.ts";

const ada = { customer: "ada" };
const id = jobId(1);

/** The contract of every Store about blobs, kernels and quotas, and about tokens and bans. */
export function holdingsContract(harness: StoreHarness): void {
  describe("holdings", () => {
    let store: Store;
    const { clock, open, restart, start } = useStore(harness, (opened) => (store = opened));

    describe("blobs", () => {
      it("[DATA-3] lists as unreferenced what no job needs and nobody touched", async () => {
        for (const text of ["input", "ref", "output", "outref", "loose", "fresh"]) {
          clock.now += 1000;
          await store.touchBlob(blob(text), ada);
        }
        await start(0);
        await store.submit(id, [task(0, { input: blob("input"), refs: [blob("ref")] })]);
        await store.complete(id, [
          { state: "done", index: 0, output: blob("output"), refs: [blob("outref")] },
        ]);
        expect(await store.unreferencedBlobs(clock.now, 10)).toEqual([blob("loose")]);
        expect(await store.unreferencedBlobs(clock.now + 1, 10)).toEqual([blob("loose"), blob("fresh")]);
        expect(await store.unreferencedBlobs(clock.now + 1, 1)).toEqual([blob("loose")]);
        expect(await store.forgetBlob(blob("input").sha256)).toBe(false);
        expect(await store.forgetBlob(blob("output").sha256)).toBe(false);
        await store.deleteJob(id);
        expect(await store.unreferencedBlobs(clock.now + 1, 10)).toHaveLength(6);
      });

      it("[DATA-3] forgets a blob only when it was not touched since", async () => {
        await store.touchBlob(blob("a"), ada);
        clock.now = 20_000;
        await store.touchBlob(blob("a"), ada);
        expect(await store.forgetBlob(blob("a").sha256, 20_000)).toBe(false);
        expect(await store.forgetBlob(blob("a").sha256, 20_001)).toBe(true);
        expect(await store.forgetBlob(blob("a").sha256)).toBe(false);
        expect(await store.getBlob(blob("a").sha256)).toBeUndefined();
      });

      it("[DATA-3] a submission and a collection that share a commit agree", async () => {
        await store.touchBlob(blob("a"), ada);
        await start(0);
        const [forgotten, submitted] = await Promise.allSettled([
          store.forgetBlob(blob("a").sha256),
          store.submit(id, [task(0, { refs: [blob("a")] })]),
        ]);
        expect(forgotten).toMatchObject({ value: true });
        expect(submitted).toMatchObject({ reason: { code: "UNKNOWN_BLOB" } });
      });

      it("counts recorded blobs", async () => {
        expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
        await store.touchBlob(blob("four"));
        await store.touchBlob(blob("seven77"));
        await store.touchBlob(blob("four"));
        expect(await store.blobUsage()).toEqual({ count: 2, bytes: 11 });
        await store.forgetBlob(blob("four").sha256);
        expect(await store.blobUsage()).toEqual({ count: 1, bytes: 7 });
        expect(await store.getBlob(blob("seven77").sha256)).toEqual(blob("seven77"));
      });
    });

    describe("blobs of customers", () => {
      const bob = { customer: "bob" };
      const client = { client: "c_x" as ClientId };
      const has = async (text: string, owner?: BlobOwner) =>
        (await store.getBlob(sha256(text), owner)) !== undefined;

      it("[READ-1] a blob is its owners'; a job's references give it to the job's customer", async () => {
        await store.touchBlob(blob("put"), ada);
        await store.touchBlob(blob("made"), client);
        expect([
          await has("put", ada),
          await has("put", bob),
          await has("put", client),
          await has("put"),
        ]).toEqual([true, false, false, true]);
        await start(0, { customer: "bob" });
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0, { refs: [blob("put")] })]));
        await refuses("UNKNOWN_BLOB", store.submit(id, [task(0, { refs: [blob("none")] })]));
        await store.submit(id, [task(0)]);
        await store.complete(id, [{ state: "done", index: 0, output: blob("made"), refs: [] }]);
        expect([await has("made", bob), await has("made", ada)]).toEqual([true, false]);
        expect(await store.jobHasBlob(id, sha256("made"))).toBe(true);
        expect(await store.jobHasBlob(id, sha256("put"))).toBe(false);
        await store.deleteJob(id);
        expect([await has("made", bob), await has("made")]).toEqual([false, true]);
        await store.touchBlob(blob("put"), bob);
        expect([await has("put", ada), await has("put", bob)]).toEqual([true, true]);
        await store.forgetBlob(sha256("put"));
        expect([await has("put", ada), await has("put", bob)]).toEqual([false, false]);
      });

      it("[READ-1] a kernel is its owners', for lists, reading and jobs", async () => {
        await postKernel(store, "ada", "mine");
        expect((await store.listKernels("bob")).map(({ sha256: name }) => name)).not.toContain(
          sha256("mine"),
        );
        expect((await store.listKernels()).map(({ sha256: name }) => name)).toContain(sha256("mine"));
        expect(await store.getKernel(sha256("mine"), "bob")).toBeUndefined();
        expect(await store.getKernel(sha256("mine"), "ada")).toBeDefined();
        const stolen = newJob({ customer: "bob", kernel: blob("mine") });
        await refuses("UNKNOWN_KERNEL", store.createJob(stolen));
        expect(await store.getJob(id)).toBeUndefined();
        await postKernel(store, "bob", "mine");
        expect((await store.createJob(stolen)).created).toBe(true);
      });

      it("[DATA-3] a kernel goes with its last owner, never from under a job", async () => {
        for (const customer of ["ada", "bob"]) await postKernel(store, customer, "mine");
        await start(0, { kernel: blob("mine") });
        await refuses("WRONG_STATE", store.deleteKernel(sha256("mine"), "ada"));
        await refuses("WRONG_STATE", store.deleteKernel(sha256("mine")));
        expect(await store.deleteKernel(sha256("mine"), "bob")).toBe(true);
        expect(await store.deleteKernel(sha256("mine"), "bob")).toBe(false);
        expect(await store.getKernel(sha256("mine"), "bob")).toBeUndefined();
        expect(await store.getKernel(sha256("mine"), "ada")).toBeDefined();
        await store.deleteJob(id);
        expect(await store.deleteKernel(sha256("mine"), "ada")).toBe(true);
        expect(await store.getKernel(sha256("mine"))).toBeUndefined();
        expect(await store.deleteKernel(sha256("mine"))).toBe(false);
      });

      it("[DATA-3] collects kernels that no job refers to, from the end of their use on", async () => {
        clock.now = 20_000;
        for (const text of ["used", "loose"]) await postKernel(store, "ada", text);
        await start(0, { kernel: blob("used") });
        const left = async () => (await store.listKernels("ada")).map(({ sha256: name }) => name);
        expect(await store.collectKernels(20_000)).toBe(1);
        expect(await left()).toEqual([sha256("used"), sha256("loose")]);
        expect(await store.collectKernels(20_001)).toBe(1);
        expect(await left()).toEqual([sha256("used")]);
        clock.now = 30_000;
        await store.deleteJob(id);
        expect(await store.collectKernels(30_000)).toBe(0);
        expect(await store.collectKernels(30_001)).toBe(1);
        expect(await left()).toEqual([]);
        expect(await store.usage("ada")).toEqual(nothing);
      });

      it("[DATA-3] a customer gives up its own blob, never from under a job", async () => {
        for (const owner of [ada, bob]) await store.touchBlob(blob("both"), owner);
        await start(0);
        await store.submit(id, [task(0, { refs: [blob("both")] })]);
        await refuses("WRONG_STATE", store.disownBlob(sha256("both"), ada));
        expect(await store.disownBlob(sha256("both"), bob)).toBe(true);
        expect(await store.disownBlob(sha256("both"), bob)).toBe(false);
        await store.deleteJob(id);
        expect(await has("both", ada)).toBe(true);
        expect(await store.forgetBlob(sha256("both"), "unowned")).toBe(false);
        expect(await store.disownBlob(sha256("both"))).toBe(true);
        expect(await store.forgetBlob(sha256("both"), "unowned")).toBe(true);
        expect(await has("both", ada)).toBe(false);
        expect((await store.usage("bob")).blobBytes).toBe(0);
      });
    });

    describe("quotas", () => {
      const usage = async (customer = "ada") => {
        const { kernels: _kernels, kernelBytes: _kernelBytes, ...rest } = await store.usage(customer);
        return rest;
      };
      const size = (values: Uint8Array[]) => values.reduce((sum, { length }) => sum + length, 0);
      const failureBytes = (index: number) => JSON.stringify(failure(index)).length;

      it("[QUOTA-1] counts exactly what a customer keeps, through every verb and a restart", async () => {
        const none = { inputBytes: 0, outputBytes: 0, blobBytes: 0, jobs: 0, openTasks: 0 };
        const check = async (expected: Partial<Usage>) => {
          expect(await usage()).toEqual({ ...none, ...expected });
          if (harness.durable) await restart();
          expect(await usage()).toEqual({ ...none, ...expected });
        };
        await store.touchBlob(blob("blob"), ada);
        await store.touchBlob(blob("blob"), ada);
        await store.touchBlob(blob("output"), { client: "c_x" as ClientId });
        await check({ blobBytes: 4 });
        await start(3);
        await store.submit(id, [
          task(1),
          task(7, { refs: [blob("blob")] }),
          task(8, { input: blob("blob") }),
        ]);
        const inputBytes = size([0, 1, 2, 7].map(inputOf));
        await check({ blobBytes: 4, jobs: 1, inputBytes, openTasks: 5 });
        const output = { state: "done", index: 1, output: blob("output"), refs: [blob("blob")] } as const;
        await store.complete(id, [done(0), output, failed(2)]);
        await store.complete(id, [done(0)]);
        let outputBytes = outputOf(0).length + failureBytes(2);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 2 });
        await store.requeueFailed(id);
        outputBytes -= failureBytes(2);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 3 });
        await store.endJob(id, "quarantined");
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes });
        await store.requeueFailed(id);
        await check({ blobBytes: 10, jobs: 1, inputBytes, outputBytes, openTasks: 3 });
        await store.endJob(id, "cancelled");
        await store.deleteJob(id);
        await check({ blobBytes: 4 });
        await store.forgetBlob(sha256("blob"));
        await check({});
        expect((await store.usages()).map(([customer]) => customer).sort()).toEqual(["ada", "bob"]);
      });

      it("[QUOTA-2] refuses what would exceed a bound, changes nothing, and takes repeats", async () => {
        await store.close();
        await open({ bytes: 170, jobs: 2, kernels: 1, openTasks: 3 });
        await postKernel(store);
        await postKernel(store);
        await refuses("QUOTA_EXCEEDED", postKernel(store, "ada", "another"));
        await start(3, { key: "k" });
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(3)]));
        expect(await store.submit(id, tasks(0, 3))).toMatchObject({ added: 0, repeated: 3 });
        await store.complete(id, [done(0)]);
        expect(await store.submit(id, [task(3)])).toMatchObject({ added: 1, total: 4 });
        await store.complete(id, [done(1)]);
        const large = task(4, { input: new Uint8Array(100) });
        await refuses("QUOTA_EXCEEDED", store.submit(id, [large]));
        await refuses("QUOTA_EXCEEDED", store.touchBlob({ sha256: sha256("large"), size: 100 }, ada));
        expect(await store.blobUsage()).toEqual({ count: 0, bytes: 0 });
        await refuses("QUOTA_EXCEEDED", store.checkRoom("ada", 100));
        await store.checkRoom("bob", 100);
        await start(0, { id: jobId(2) });
        await refuses("QUOTA_EXCEEDED", store.createJob(newJob({ id: jobId(3) })));
        expect((await store.createJob(newJob({ id: jobId(3), key: "k" }))).created).toBe(false);
        await expect(store.createJob(newJob({ id: jobId(3) }))).rejects.toMatchObject({
          message: 'Customer "ada" keeps 2 jobs and asks for 1 more; at most 2 are allowed.',
          remedy: expect.stringContaining("manyhands delete"),
        });
        await store.deleteJob(id);
        await start(0, { id: jobId(3) });
      });

      it("[QUOTA-3] takes outputs beyond the bound, and tells that a customer is full and has room again", async () => {
        await store.close();
        await open({ ...noQuotas, bytes: 100 });
        const told: [string, boolean][] = [];
        store.onQuota((customer, full) => told.push([customer, full]));
        await postKernel(store);
        await start(1);
        expect(told).toEqual([]);
        const output = { state: "done", index: 0, output: new Uint8Array(200), refs: [] } as const;
        expect((await store.complete(id, [output])).accepted).toEqual([0]);
        await expect.poll(() => told).toEqual([["ada", true]]);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(1)]));
        const late: string[] = [];
        store.onQuota((customer) => late.push(customer));
        await expect.poll(() => late).toEqual(["ada"]);
        store.onQuota((customer, full) => told.push([customer, full]));
        await store.deleteJob(id);
        await expect.poll(() => told.at(-1)).toEqual(["ada", false]);
      });
    });

    describe("quotas of a customer's own", () => {
      it("[QUOTA-7] hold from the next verb on in place of the server's, through a restart, until they are taken back", async () => {
        await store.close();
        await open({ bytes: 1000, jobs: 5, kernels: 5, openTasks: 3 });
        const told: [string, boolean][] = [];
        store.onQuota((customer, full) => told.push([customer, full]));
        await postKernel(store);
        await start(3);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(3)]));
        await store.setQuotas("ada", { openTasks: 4 });
        await store.submit(id, [task(3)]);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(4)]));
        await store.setQuotas("bob", { jobs: 0 });
        expect(await store.listQuotas()).toEqual([
          ["ada", { openTasks: 4 }],
          ["bob", { jobs: 0 }],
        ]);
        await store.setQuotas("ada", { bytes: 1, openTasks: 9 });
        await expect.poll(() => told).toEqual([["ada", true]]);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(4)]));
        await refuses("QUOTA_EXCEEDED", store.checkRoom("ada", 1));
        await store.checkRoom("bob", 900);
        if (harness.durable) {
          await restart();
          const late: string[] = [];
          store.onQuota((customer) => late.push(customer));
          await expect.poll(() => late).toEqual(["ada"]);
          await refuses("QUOTA_EXCEEDED", store.checkRoom("ada", 1));
        }
        const after: [string, boolean][] = [];
        store.onQuota((customer, full) => after.push([customer, full]));
        await store.setQuotas("ada", { bytes: 2000, openTasks: 5 });
        await expect.poll(() => after.at(-1)).toEqual(["ada", false]);
        await store.submit(id, [task(4)]);
        await store.setQuotas("ada", {});
        await store.setQuotas("bob", {});
        expect(await store.listQuotas()).toEqual([]);
        await refuses("QUOTA_EXCEEDED", store.submit(id, [task(5)]));
      });
    });

    describe("kernels, tokens and bans", () => {
      it("keeps kernels", async () => {
        const source = inputOf(1);
        expect(await store.putKernel(sha256("input 1"), source, "eve")).toBe(true);
        expect(await store.putKernel(sha256("input 1"), source, "eve")).toBe(false);
        await store.putKernel(sha256("input 22"), inputOf(22), "eve");
        expect(await store.getKernel(sha256("input 1"))).toEqual(source);
        expect(await store.getKernel(sha256("none"))).toBeUndefined();
        expect(await store.listKernels("eve")).toEqual([
          { sha256: sha256("input 1"), size: source.length },
          { sha256: sha256("input 22"), size: inputOf(22).length },
        ]);
      });

      it("keeps tokens by the hash of their secret", async () => {
        const token = {
          id: "t1",
          hash: sha256("secret"),
          role: "customer",
          name: "ada",
          createdAt: 1,
          expiresAt: undefined,
          lastUsedAt: undefined,
        } as const;
        await store.createToken(token);
        await refuses("CONFLICT", store.createToken({ ...token, id: "t2" }));
        await refuses("CONFLICT", store.createToken({ ...token, hash: sha256("b") }));
        await store.createToken({ ...token, id: "t2", hash: sha256("b"), role: "admin", expiresAt: 99 });
        expect(await store.findToken(sha256("secret"))).toEqual(token);
        expect(await store.findToken(sha256("wrong"))).toBeUndefined();
        await expect
          .poll(async () => (await store.listTokens()).map(({ id, lastUsedAt }) => [id, lastUsedAt]))
          .toEqual([
            ["t1", clock.now],
            ["t2", undefined],
          ]);
        expect(await store.revokeToken("t1")).toBe(true);
        expect(await store.revokeToken("t1")).toBe(false);
        expect(await store.findToken(sha256("secret"))).toBeUndefined();
        expect(await store.listTokens()).toMatchObject([{ id: "t2", role: "admin", expiresAt: 99 }]);
      });

      it("keeps bans with their newest reason", async () => {
        await store.ban("c_a", "rude");
        clock.now++;
        await store.ban("1.2.3.4", "floods");
        clock.now++;
        await store.ban("c_a", "very rude");
        expect(await store.listBans()).toEqual([
          { subject: "1.2.3.4", reason: "floods", at: clock.now - 1 },
          { subject: "c_a", reason: "very rude", at: clock.now },
        ]);
        expect(await store.unban("c_a")).toBe(true);
        expect(await store.unban("c_a")).toBe(false);
        expect(await store.listBans()).toHaveLength(1);
      });
    });
  });
}
