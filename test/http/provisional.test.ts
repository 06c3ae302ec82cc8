import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import {
  followedProvisionalSchema,
  provisionalLineSchema,
  type FollowedProvisional,
  type ProvisionalLine,
} from "../../shared/wire/rest/results.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, json, kernel, lines, refusal } from "../support/rest.ts";

async function jobOf(server: HttpServer, { id }: JobInfo): Promise<JobInfo> {
  return (await (await server.request(`/api/jobs/${id}`)).json()) as JobInfo;
}

/** A job whose results a volunteer delivered, and that nobody audits. */
async function provisionalJob(
  server: HttpServer,
  options: object,
  compute: (x: unknown) => unknown,
): Promise<{ job: JobInfo; volunteer: string }> {
  const { id } = server.client(compute, { trusted: false });
  const job = await createJob(server, options);
  await expect.poll(async () => (await jobOf(server, job)).counts.provisional).toBe(job.counts.total);
  return { job, volunteer: id };
}

async function read(server: HttpServer, { id }: JobInfo, search = ""): Promise<ProvisionalLine[]> {
  const response = await server.request(`/api/jobs/${id}/provisional${search}`);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  return v.parse(v.array(provisionalLineSchema), await lines(response));
}

function change(server: HttpServer, { id }: JobInfo, body: object): Promise<Response> {
  return server.request(`/api/jobs/${id}/verify`, { ...json(body), method: "PUT" });
}

describe("[VERIFY-2] provisional results", () => {
  test("are read by index, and are among no results", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const { job, volunteer } = await provisionalJob(
      server,
      { inputs: [1, 2, 3] },
      (x) => new Float32Array([(x as number) / 2]),
    );
    const output = (x: number): object => ({
      $array: "Float32Array",
      base64: Buffer.from(new Float32Array([x / 2]).buffer).toString("base64"),
    });
    const all = [1, 2, 3].map((x, index) => ({
      state: "provisional",
      index,
      client: volunteer,
      output: output(x),
    }));
    expect(await read(server, job)).toEqual(all);
    expect(await read(server, job, "?after=0")).toEqual(all.slice(1));
    expect(await read(server, job, "?after=2")).toEqual([]);
    expect(await lines(await server.request(`/api/jobs/${job.id}/results`))).toEqual([]);
    await refusal(await server.request(`/api/jobs/${job.id}/provisional?after=x`), 400, "BAD_REQUEST");
  });

  test("are shown to nobody else", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const { job } = await provisionalJob(server, { inputs: [1] }, (x) => x);
    const other = (await server.access.createToken({ role: "customer", name: "bob" })).secret;
    for (const [path, init] of [
      ["provisional", {}],
      ["verify", { ...json({ verify: "off" }), method: "PUT" }],
    ] as const)
      await refusal(
        await server.request(`/api/jobs/${job.id}/${path}`, { ...init, token: other }),
        404,
        "NOT_FOUND",
      );
  });

  test("with a large output are whole", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const large = encodeValue(new Uint8Array(300_000).fill(7));
    const client = server.client(undefined, { trusted: false, answering: false });
    const job = await createJob(server, { inputs: [1, 2] });
    await expect.poll(() => client.held.length).toBe(2);
    const put = async (bytes: Uint8Array): Promise<{ sha256: never; size: number }> => {
      const { createHash } = await import("node:crypto");
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const response = await server.request(`/api/blobs/${sha256}`, {
        method: "PUT",
        body: Buffer.from(bytes),
      });
      expect(response.status).toBe(201);
      return { sha256: sha256 as never, size: bytes.length };
    };
    const outputs = [await put(large), await put(new Uint8Array(300_000).fill(0xc1))];
    client.send({
      type: "results",
      job: job.id,
      results: outputs.map((output, index) => {
        return { index, attempt: 1, elapsedMs: 1, outcome: { state: "done", output } };
      }),
    });
    await expect.poll(async () => (await jobOf(server, job)).counts.provisional).toBe(2);
    const [whole, unreadable] = await read(server, job);
    expect(whole?.output).toEqual({ $bytes: Buffer.alloc(300_000, 7).toString("base64") });
    expect(unreadable).toEqual({
      state: "provisional",
      index: 1,
      client: client.id,
      message: expect.any(String),
    });
  });
});

describe("[VERIFY-12] provisional results that are followed", () => {
  async function readAll(response: Response): Promise<FollowedProvisional[]> {
    return v.parse(v.array(followedProvisionalSchema), await lines(response));
  }

  test("come as they are kept, with a notice when they are accepted or withdrawn, until the job has ended", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const stranger = { trusted: false, answering: false, want: 3 };
    const [honest, liar] = [server.client(undefined, stranger), server.client(undefined, stranger)];
    const job = await createJob(server, { inputs: [1, 2, 3, 4, 5, 6] });
    await expect.poll(() => [honest.held.length, liar.held.length]).toEqual([3, 3]);
    honest.deliver((index) => index + 1);
    await expect.poll(async () => (await jobOf(server, job)).counts.provisional).toBe(3);
    const response = await server.request(`/api/jobs/${job.id}/provisional?follow=1`);
    const fromTwo = await server.request(`/api/jobs/${job.id}/provisional?follow=1&after=2`);
    liar.deliver(() => "wrong");
    await expect.poll(async () => (await jobOf(server, job)).counts.provisional).toBe(6);
    for (const client of [honest, liar]) client.leave();
    server.client((x) => x);

    const told = await readAll(response);
    expect(told[0]).toEqual({ state: "snapshot", seq: 0 });
    expect(told.filter(({ state }) => state === "snapshot")).toHaveLength(1);
    expect(told.at(-1)).toEqual({ state: "end", job: "finished" });
    const given = told.filter((line) => line.state === "provisional");
    expect(given.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(given.filter(({ client }) => client === liar.id)).toHaveLength(3);
    expect(given.slice(0, 3).map(({ client }) => client)).toEqual(Array(3).fill(honest.id));
    for (const { index, client, output } of given) {
      expect(output).toBe(client === liar.id ? "wrong" : index + 1);
      const notices = told.filter(
        (line) => (line.state === "accepted" || line.state === "withdrawn") && line.index === index,
      );
      expect(notices).toEqual([{ state: client === liar.id ? "withdrawn" : "accepted", index, client }]);
    }
    const isLater = (line: FollowedProvisional): boolean => !("index" in line) || line.index > 2;
    expect((await readAll(fromTwo)).filter((line) => "index" in line)).toEqual(
      told.filter((line) => "index" in line).filter(isLater),
    );
  });

  test("end with a cancelled job, and are none of an ended one", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const { job } = await provisionalJob(server, { inputs: [1] }, (x) => x);
    const response = await server.request(`/api/jobs/${job.id}/provisional?follow=1`);
    await server.request(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    expect((await readAll(response)).at(-1)).toEqual({ state: "end", job: "cancelled" });
    expect(await readAll(await server.request(`/api/jobs/${job.id}/provisional?follow=1`))).toEqual([
      { state: "snapshot", seq: 0 },
      { state: "current", seq: 0 },
      { state: "end", job: "cancelled" },
    ]);
  });

  test("hold up nobody when they are not read: the reader gets a snapshot instead of what it missed", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const job = await createJob(server, { inputs: Array.from({ length: 200 }, (_, index) => index) });
    const response = await server.request(`/api/jobs/${job.id}/provisional?follow=1`);
    // Far more than sockets buffer.
    const client = server.client((x) => "x".repeat(150_000) + String(x), { trusted: false });
    await expect.poll(async () => (await jobOf(server, job)).counts.provisional).toBe(200);
    client.leave();
    await change(server, job, { verify: "off" });
    await expect.poll(async () => (await jobOf(server, job)).state).toBe("finished");
    const told = await readAll(response);
    const states = told.map(({ state }) => state);
    expect(states.filter((state) => state === "snapshot").length).toBeGreaterThan(1);
    expect(states.filter((state) => state === "provisional").length).toBeLessThan(200);
    expect(told.slice(-2)).toEqual([
      { state: "current", seq: 200 },
      { state: "end", job: "finished" },
    ]);
  });
});

describe("[VERIFY-5] changing how a job is verified", () => {
  test("off accepts provisional results, and the statement says that they were not verified", async () => {
    const server = await startHttpServer({ auditors: 1 });
    const { job } = await provisionalJob(server, { inputs: [1, 2] }, (x) => x);
    expect(await (await change(server, job, { verify: "off" })).json()).toMatchObject({
      verify: "off",
      compare: "bits",
    });
    const results = await lines(await server.request(`/api/jobs/${job.id}/results?follow=1`));
    expect(results.at(-1)).toMatchObject({
      state: "end",
      job: "finished",
      counts: { done: 2, provisional: 0 },
      statement: { strangers: 2, audited: 0, wrong: 0 },
    });
    await refusal(await change(server, job, { verify: "audit" }), 409, "WRONG_STATE");
  });

  test("leaves options that are not named as they are, and refuses options that exclude each other", async () => {
    const server = await startHttpServer();
    const job = await createJob(server, { kernel, compare: { rel: 1e-6 }, verify: { quorum: 3 } });
    const changed = await (await change(server, job, { verify: { quorum: 2 } })).json();
    expect(changed).toMatchObject({ verify: { quorum: 2 }, compare: { rel: 1e-6 } });
    await refusal(await change(server, job, { compare: "kernel" }), 400, "BAD_REQUEST");
    await refusal(await change(server, job, { verify: { quorum: 1 } }), 400, "BAD_REQUEST");
  });
});
