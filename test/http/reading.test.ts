import { describe, expect, test } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, json, kernel, lines, ndjson, refusal, sha256 } from "../support/rest.ts";
import type { TestClient } from "../support/test-client.ts";

interface Name {
  readonly sha256: string;
  readonly size: number;
}

async function put(server: HttpServer, text: string, token = server.tokens.customer): Promise<Name> {
  const name = { sha256: sha256(text), size: text.length };
  const response = await server.request(`/api/blobs/${name.sha256}`, { method: "PUT", body: text, token });
  expect([200, 201]).toContain(response.status);
  return name;
}

async function tokenOf(server: HttpServer, name: string): Promise<string> {
  return (await server.access.createToken({ role: "customer", name })).secret;
}

const status = async (server: HttpServer, token: string, path: string, method = "GET"): Promise<number> => {
  const response = await server.request(path, { token, method });
  await response.arrayBuffer();
  return response.status;
};

/** An open job whose tasks refer to blobs. */
async function jobOn(server: HttpServer, ...refs: Name[]): Promise<JobInfo> {
  const job = await createJob(server);
  const body = refs.map((ref) => JSON.stringify({ input: { $ref: ref } })).join("\n");
  expect((await server.request(`/api/jobs/${job.id}/tasks`, ndjson(body))).status).toBe(200);
  return job;
}

/** A volunteer that holds so many tasks and computes none. */
async function holder(server: HttpServer, tasks: number): Promise<TestClient> {
  const client = server.client(undefined, { trusted: false, answering: false });
  await eventually(() => expect(client.held).toHaveLength(tasks));
  return client;
}

describe("[READ-1] customers", () => {
  test("read, list and refer to their own blobs and kernels; those of others do not exist", async () => {
    const server = await startHttpServer();
    const bob = await tokenOf(server, "bob");
    const blob = await put(server, "ada's bytes");
    const { sha256: code } = (await (await server.request("/api/kernels", json(kernel))).json()) as Name;
    for (const path of [
      `/api/blobs/${blob.sha256}`,
      `/api/blobs/${blob.sha256}/chunks`,
      `/api/kernels/${code}`,
      `/api/blobs/${code}`,
    ])
      expect([
        await status(server, server.tokens.customer, path),
        await status(server, server.tokens.admin, path),
        await status(server, bob, path),
      ]).toEqual([200, 200, 404]);
    expect(await status(server, bob, `/api/blobs/${blob.sha256}`, "HEAD")).toBe(404);
    expect(await (await server.request("/api/kernels", { token: bob })).json()).toEqual([]);
    expect(await (await server.request("/api/kernels")).json()).toMatchObject([{ sha256: code }]);
    await refusal(
      await server.request("/api/jobs", { ...json({ kernel: code }), token: bob }),
      422,
      "UNKNOWN_KERNEL",
    );
    const job = await createJob(server, {});
    expect(job.kernel.sha256).toBe(code);
    const made = await server.request("/api/jobs", { ...json({ kernel }), token: bob });
    const { id } = (await made.json()) as JobInfo;
    const line = ndjson(JSON.stringify({ input: { $ref: blob } }));
    await refusal(
      await server.request(`/api/jobs/${id}/tasks`, { ...line, token: bob }),
      422,
      "UNKNOWN_BLOB",
    );
    const precache = { ...json({ refs: [blob] }), token: bob };
    await refusal(await server.request("/api/precache", precache), 404, "NOT_FOUND");
  });

  test("have bytes that are here already once they have sent all of them, and are not told so", async () => {
    const server = await startHttpServer();
    const bob = await tokenOf(server, "bob");
    const { sha256: name } = await put(server, "the same bytes");
    const path = `/api/blobs/${name}`;
    const wrong = await server.request(path, { method: "PUT", body: "other bytes...", token: bob });
    await refusal(wrong, 422, "HASH_MISMATCH");
    expect(await status(server, bob, path)).toBe(404);
    const right = await server.request(path, { method: "PUT", body: "the same bytes", token: bob });
    expect(right.status).toBe(201);
    expect(await status(server, bob, path)).toBe(200);
    expect(await status(server, server.tokens.customer, path, "DELETE")).toBe(204);
    expect(await status(server, server.tokens.customer, path)).toBe(404);
    expect(await status(server, bob, path)).toBe(200);
    expect(await status(server, bob, path, "DELETE")).toBe(204);
    expect((await server.store.blobUsage()).count).toBe(0);
    expect(await status(server, bob, path, "DELETE")).toBe(404);
  });

  test("an admin is told which blobs are its own, for what it puts", async () => {
    const server = await startHttpServer();
    const { sha256: name } = await put(server, "ada's bytes");
    const head = async (token: string) =>
      (await server.request(`/api/blobs/${name}`, { method: "HEAD", token })).headers.get("x-own-blob");
    expect([await head(server.tokens.customer), await head(server.tokens.admin)]).toEqual(["1", null]);
  });
});

describe("[READ-2] clients", () => {
  test("read kernels and data of tasks that they hold, and nothing else, also trusted ones", async () => {
    const server = await startHttpServer();
    const [first, second, other] = [
      await put(server, "first"),
      await put(server, "second"),
      await put(server, "other"),
    ];
    const job = await jobOn(server, first, second);
    for (const trusted of [false, true]) {
      const idle = server.client(undefined, { trusted, answering: false });
      await eventually(() => expect(idle.held).toHaveLength(trusted ? 0 : 2));
      const may = trusted ? 404 : 200;
      for (const { sha256: name } of [first, second, job.kernel])
        expect(await status(server, idle.ticket, `/api/blobs/${name}`)).toBe(may);
      expect(await status(server, idle.ticket, `/api/blobs/${first.sha256}/chunks`)).toBe(may);
      expect(await status(server, idle.ticket, `/api/blobs/${other.sha256}`)).toBe(404);
      expect(await status(server, idle.ticket, `/api/blobs/${"0".repeat(64)}`)).toBe(404);
    }
  });

  test("finish a download whose task is gone; what they did not begin is gone with the task", async () => {
    const server = await startHttpServer();
    const [begun, unread] = [await put(server, "begun"), await put(server, "unread")];
    const job = await jobOn(server, begun, unread);
    const client = await holder(server, 2);
    const range = { range: "bytes=0-1" };
    const part = await server.request(`/api/blobs/${begun.sha256}`, { token: client.ticket, headers: range });
    expect(part.status).toBe(206);
    await server.request(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    expect(await status(server, client.ticket, `/api/blobs/${begun.sha256}`)).toBe(200);
    expect(await status(server, client.ticket, `/api/blobs/${unread.sha256}`)).toBe(404);
  });

  test("read what a standing precache asks them for", async () => {
    const server = await startHttpServer();
    const wanted = await put(server, "wanted");
    const client = server.client();
    expect(await status(server, client.ticket, `/api/blobs/${wanted.sha256}`)).toBe(404);
    const gone = new AbortController();
    const standing = server.request("/api/precache", { ...json({ refs: [wanted] }), signal: gone.signal });
    await eventually(() => expect(client.asked).toHaveLength(1));
    expect(await status(server, client.ticket, `/api/blobs/${wanted.sha256}`)).toBe(200);
    await standing;
    gone.abort();
    await eventually(() => expect(client.asked).toHaveLength(2));
    const late = server.client();
    expect(await status(server, late.ticket, `/api/blobs/${wanted.sha256}`)).toBe(404);
  });

  test("read what a checkpoint names that they go on from, and its author uploaded", async () => {
    const server = await startHttpServer();
    const secret = await put(server, "bob's bytes", await tokenOf(server, "bob"));
    const job = await createJob(server);
    await server.request(`/api/jobs/${job.id}/tasks`, ndjson('{"input":1}'));
    const author = await holder(server, 1);
    const upload = await server.request(`/api/blobs/${sha256("state")}`, {
      method: "PUT",
      body: "state",
      token: author.ticket,
    });
    expect(upload.status).toBe(201);
    const state = encodeValue([
      new DataReference(sha256("state") as Sha256, 5),
      new DataReference(secret.sha256 as Sha256, secret.size),
    ]);
    author.send({ type: "checkpoint", ...author.held[0]!, state });
    await eventually(async () =>
      expect(await status(server, server.tokens.customer, `/api/blobs/${sha256("state")}`)).toBe(200),
    );
    author.send({ type: "goodbye" });
    const next = await holder(server, 1);
    expect(await status(server, next.ticket, `/api/blobs/${sha256("state")}`)).toBe(200);
    expect(await status(server, next.ticket, `/api/blobs/${secret.sha256}`)).toBe(404);
  });
});

describe("[READ-3] results", () => {
  test("that name a blob of another customer are failed attempts, and give nothing to read", async () => {
    const server = await startHttpServer();
    const secret = await put(server, "bob's bytes", await tokenOf(server, "bob"));
    const own = await put(server, "ada's bytes");
    const job = await createJob(server, { maxAttempts: 1 });
    await server.request(`/api/jobs/${job.id}/tasks`, ndjson('{"input":1}\n{"input":2}'));
    const client = await holder(server, 2);
    const name = async (at: number, { sha256: named, size }: Name): Promise<void> => {
      const { index, attempt } = client.held[at]!;
      const output = encodeValue(new DataReference(named as Sha256, size));
      const refs = [{ sha256: named as Sha256, size }];
      const outcome = { state: "done" as const, output, refs };
      client.send({ type: "results", job: job.id, results: [{ index, attempt, elapsedMs: 1, outcome }] });
    };
    await name(0, secret);
    await name(1, own);
    await server.request(`/api/jobs/${job.id}/close`, { method: "POST" });
    const results = await lines(
      await server.request(`/api/jobs/${job.id}/results?follow=1`, {
        headers: { accept: "application/x-ndjson" },
      }),
    );
    expect(results).toMatchObject([{ state: "failed", kind: "data" }, { state: "done" }, { state: "end" }]);
    expect(await status(server, server.tokens.customer, `/api/blobs/${secret.sha256}`)).toBe(404);
  });
});
