import { describe, expect, test } from "vitest";
import type { Sha256 } from "../../shared/ids.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, json, kernel, ndjson, refusal, sha256 } from "../support/rest.ts";
import type { TestClient } from "../support/test-client.ts";

const mib = 1024 ** 2;

async function usage(server: HttpServer, token = server.tokens.customer): Promise<UsageInfo[]> {
  return (await (await server.request("/api/usage", { token })).json()) as UsageInfo[];
}

async function job(server: HttpServer, id: string): Promise<JobInfo> {
  return (await (await server.request(`/api/jobs/${id}`)).json()) as JobInfo;
}

const upload = (server: HttpServer, client: TestClient, body: Buffer): Promise<Response> =>
  server.request(`/api/blobs/${sha256(body)}`, { method: "PUT", body, token: client.ticket });

describe("[QUOTA-1] GET /api/usage", () => {
  test("tells customers of themselves, and an admin of everybody", async () => {
    const server = await startHttpServer({ customerQuotaBytes: 5000, jobsPerCustomer: 7 });
    const { id } = await createJob(server);
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":"abc"}'));
    await server.request(`/api/blobs/${sha256("bytes")}`, { method: "PUT", body: "bytes" });
    const kernels = kernel.source.length;
    const ada = {
      customer: "ada",
      bytes: { inputs: 4, outputs: 0, blobs: 5, kernels, total: 9 + kernels },
      jobs: 1,
      kernels: 1,
      openTasks: 1,
      quota: { bytes: 5000, jobs: 7, kernels: 10_000, openTasks: 20_000_000 },
      ownQuota: {},
      full: false,
    };
    expect(await usage(server)).toEqual([ada]);
    expect(await usage(server, server.tokens.admin)).toEqual([ada]);
    expect(await job(server, id)).toMatchObject({ inputBytes: 4, outputBytes: 0 });
  });
});

describe("[QUOTA-7] PUT /api/quotas/{customer}", () => {
  test("gives a customer bounds of its own, at once, and takes them back; every change is noted", async () => {
    const server = await startHttpServer({ openTasksPerCustomer: 2 });
    const { admin } = server.tokens;
    const put = (customer: string, body: unknown, token = admin) =>
      server.request(`/api/quotas/${encodeURIComponent(customer)}`, { ...json(body), method: "PUT", token });
    const { id } = await createJob(server);
    const add = (count: number) =>
      server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":1}\n'.repeat(count)));
    await add(2);
    await refusal(await add(1), 507, "QUOTA_EXCEEDED");
    const changed = (await (await put("ada", { openTasks: 4, jobs: 3 })).json()) as UsageInfo;
    expect(changed).toMatchObject({
      customer: "ada",
      quota: { openTasks: 4, jobs: 3, kernels: 10_000 },
      ownQuota: { openTasks: 4, jobs: 3 },
      openTasks: 2,
    });
    expect((await add(2)).status).toBe(200);
    expect((await usage(server))[0]).toEqual({ ...changed, openTasks: 4, bytes: expect.anything() });
    // Bounds below what is kept delete nothing, and stop what would add to it.
    expect(await (await put("ada", { bytes: 0 })).json()).toMatchObject({
      full: true,
      jobs: 1,
      openTasks: 4,
    });
    expect(await job(server, id)).toMatchObject({ quotaFull: true });
    expect(await (await put("ada", {})).json()).toMatchObject({ ownQuota: {}, full: false });
    expect(await job(server, id)).toMatchObject({ quotaFull: false });
    const audit = (await (await server.request("/api/audit", { token: admin })).json()) as {
      action: string;
      subject: string;
      detail: string;
    }[];
    expect(audit.map(({ action, subject, detail }) => `${action} ${subject}: ${detail}`)).toEqual([
      "PUT /api/quotas/{customer} ada: as for everybody",
      "PUT /api/quotas/{customer} ada: bytes 0",
      "PUT /api/quotas/{customer} ada: jobs 3, openTasks 4",
    ]);
    await refusal(await put("ada", { jobs: 1 }, server.tokens.customer), 403, "FORBIDDEN");
    await refusal(await put("nobody", { jobs: 1 }), 404, "NOT_FOUND");
    for (const wrong of [[], { jobs: -1 }, { bytes: 1.5 }, { bytes: 1e300 }, { slots: 1 }, { jobs: "1" }])
      await refusal(await put("ada", wrong), 400, "BAD_REQUEST");
  });
});

describe("[QUOTA-2] bounds", () => {
  test("refuse blobs, inputs, kernels and jobs, each by its name and with a remedy", async () => {
    const server = await startHttpServer({
      customerQuotaBytes: 2000,
      jobsPerCustomer: 1,
      kernelsPerCustomer: 1,
      openTasksPerCustomer: 2,
    });
    const { id } = await createJob(server);
    const tasks = (body: string) => server.request(`/api/jobs/${id}/tasks`, ndjson(body));
    const said = async (response: Promise<Response>) => refusal(await response, 507, "QUOTA_EXCEEDED");
    expect(await said(tasks("{}\n{}\n{}".replaceAll("{}", '{"input":1}')))).toContain(
      "at most 2 are allowed",
    );
    expect(await said(tasks(`{"input":"${"x".repeat(2000)}"}`))).toContain("stored bytes");
    const body = Buffer.alloc(2000);
    expect(await said(server.request(`/api/blobs/${sha256(body)}`, { method: "PUT", body }))).toContain(
      "2000 more",
    );
    expect(await said(server.request("/api/kernels", json({ source: "export default 1" })))).toContain(
      "1 kernels",
    );
    expect(await said(server.request("/api/jobs", json({ kernel })))).toContain("1 jobs");
    expect(await (await tasks('{"input":1}\n'.repeat(3))).json()).toMatchObject({
      remedy: expect.stringContaining("manyhands cancel"),
    });
    const { token } = await createBob(server);
    expect((await server.request("/api/jobs", { ...json({ kernel }), token })).status).toBe(201);
    expect((await server.store.blobUsage()).count).toBe(0);
  });

  test("an upload that does not say its size is refused at its end, and nothing of it stays", async () => {
    const server = await startHttpServer({ customerQuotaBytes: 1000 });
    const body = Buffer.alloc(2000);
    const init = { method: "PUT", body: new Blob([body]).stream(), duplex: "half" } as RequestInit;
    await refusal(await server.request(`/api/blobs/${sha256(body)}`, init), 507, "QUOTA_EXCEEDED");
    expect((await server.store.blobUsage()).count).toBe(0);
  });
});

async function createBob(server: HttpServer): Promise<{ token: string }> {
  return { token: (await server.access.createToken({ role: "customer", name: "bob" })).secret };
}

describe("[QUOTA-3] a full customer", () => {
  test("has no more tasks handed out, loses no result, and goes on when there is room", async () => {
    const server = await startHttpServer({ customerQuotaBytes: 4000 });
    const finished = await createJob(server);
    await server.request(`/api/jobs/${finished.id}/tasks?close=1`, ndjson(`{"input":"${"x".repeat(1500)}"}`));
    const first = server.client((input) => input);
    await eventually(async () => expect((await job(server, finished.id)).state).toBe("finished"));
    first.leave();
    const { id } = await createJob(server);
    await server.request(`/api/jobs/${id}/tasks?close=1`, ndjson('{"input":1}\n{"input":2}\n{"input":3}'));
    // The client gets one task at a time. The first result fills the quota while the second task is handed out already.
    const client = server.client(() => new Uint8Array(1500), { want: 1 });
    await eventually(async () =>
      expect(await job(server, id)).toMatchObject({ quotaFull: true, counts: { done: 2, queued: 1 } }),
    );
    expect(await usage(server)).toMatchObject([{ full: true }]);
    client.want(1);
    expect(await job(server, id)).toMatchObject({ state: "closed", estimatedMs: null, counts: { done: 2 } });
    const { token } = await createBob(server);
    const other = await server.request("/api/jobs", { ...json({ kernel, inputs: [1] }), token });
    const { id: bobs } = (await other.json()) as JobInfo;
    await eventually(async () => expect((await server.platform.job(bobs)).counts).toMatchObject({ done: 1 }));
    expect((await server.request(`/api/jobs/${finished.id}`, { method: "DELETE" })).status).toBe(204);
    await eventually(async () =>
      expect(await job(server, id)).toMatchObject({
        state: "finished",
        quotaFull: false,
        counts: { done: 3 },
      }),
    );
  });
});

describe("[QUOTA-4] a volunteer's uploads", () => {
  async function holding(
    server: HttpServer,
    options: object = {},
  ): Promise<{ id: JobInfo["id"]; client: TestClient }> {
    const { id } = await createJob(server, { memoryMb: 16, ...options });
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":1}\n{"input":2}'));
    const client = server.client(undefined, { trusted: false, answering: false, want: 1 });
    await eventually(() => expect(client.held).toHaveLength(1));
    return { id, client };
  }

  test("are refused without a task", async () => {
    const server = await startHttpServer();
    const idle = server.client(undefined, { trusted: false });
    await refusal(await upload(server, idle, Buffer.from("nothing")), 403, "FORBIDDEN");
    expect((await server.store.blobUsage()).count).toBe(0);
  });

  test("take as many bytes as its tasks may use memory, until results name them", async () => {
    const server = await startHttpServer();
    const { id, client } = await holding(server);
    const [one, two] = [Buffer.alloc(10 * mib, 1), Buffer.alloc(10 * mib, 2)];
    expect((await upload(server, client, one)).status).toBe(201);
    expect((await upload(server, client, one)).status).toBe(200);
    expect(await refusal(await upload(server, client, two), 507, "QUOTA_EXCEEDED")).toContain(
      `${16 * mib} bytes`,
    );
    const { index, attempt } = client.held[0]!;
    const output = { sha256: sha256(one) as Sha256, size: one.length };
    client.send({
      type: "results",
      job: id,
      results: [{ index, attempt, elapsedMs: 1, outcome: { state: "done", output } }],
    });
    await eventually(async () => expect((await job(server, id)).counts.provisional).toBe(1));
    await eventually(() => expect(client.held).toHaveLength(2));
    expect((await upload(server, client, two)).status).toBe(201);
    expect(await usage(server)).toMatchObject([{ bytes: { blobs: 10 * mib } }]);
  });

  test("of tasks that failed make room for those of the next, and are removed", async () => {
    const server = await startHttpServer();
    const { id, client } = await holding(server, { failFast: false });
    const [one, two] = [Buffer.alloc(10 * mib, 1), Buffer.alloc(10 * mib, 2)];
    expect((await upload(server, client, one)).status).toBe(201);
    const { index, attempt } = client.held[0]!;
    const failure = { kind: "error" as const, message: "no" };
    client.send({
      type: "results",
      job: id,
      results: [{ index, attempt, elapsedMs: 1, outcome: { state: "failed", failure } }],
    });
    await eventually(() => expect(client.held).toHaveLength(2));
    expect((await upload(server, client, two)).status).toBe(201);
    expect((await server.store.blobUsage()).bytes).toBe(10 * mib);
    expect(await server.store.getBlob(sha256(one) as Sha256)).toBeUndefined();
  });
});
