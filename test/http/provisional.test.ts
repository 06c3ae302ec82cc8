import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import { provisionalLineSchema, type JobInfo, type ProvisionalLine } from "../../shared/wire/rest.ts";
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

describe("[VERIFY-5] changing how a job is verified", () => {
  const change = (server: HttpServer, { id }: JobInfo, body: object): Promise<Response> =>
    server.request(`/api/jobs/${id}/verify`, { ...json(body), method: "PUT" });

  test("off accepts what is provisional, and the statement says that it was not verified", async () => {
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

  test("leaves what is not named as it is, and refuses what does not go together", async () => {
    const server = await startHttpServer();
    const job = await createJob(server, { kernel, compare: { rel: 1e-6 }, verify: { quorum: 3 } });
    const changed = await (await change(server, job, { verify: { quorum: 2 } })).json();
    expect(changed).toMatchObject({ verify: { quorum: 2 }, compare: { rel: 1e-6 } });
    await refusal(await change(server, job, { compare: "kernel" }), 400, "BAD_REQUEST");
    await refusal(await change(server, job, { verify: { quorum: 1 } }), 400, "BAD_REQUEST");
  });
});
