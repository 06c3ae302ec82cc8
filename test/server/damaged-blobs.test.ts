import { createHash, randomBytes } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect } from "../../customer/index.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { expectAllOnce, readJob, request, submitJob } from "../support/jobs.ts";
import {
  keptPort,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";

const first = "export default async ({ data, at }, ctx) => (data ? (await ctx.data(data))[at] : at);";

/** Changes a byte of a blob's file behind the server's back. */
async function damage(data: string, sha256: Sha256): Promise<void> {
  const file = await open(join(data, "blobs", sha256.slice(0, 2), sha256), "r+");
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, 1000);
  await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, 1000);
  await file.close();
}

test("[ROT-4] [ROT-5] [ROT-6] tasks whose blob is damaged wait until it is put again; others go on; nothing is computed with it", async () => {
  const [data, port] = [await temporaryDirectory(), await keptPort()];
  let server = await startServerProcess(data, port);
  await using hands = await connect(server.url, { token: server.token });
  const bytes = randomBytes(100_000);
  const reference = await hands.put(bytes);
  expect(reference.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  const { sha256 } = reference;
  const $ref = { sha256, size: bytes.length };
  // Half of the tasks need the blob; the byte that changes is that of task 0.
  const inputs = Array.from({ length: 60 }, (_, at) =>
    at % 2 === 0 ? { data: { $ref }, at: at + 1000 } : { at },
  );
  const job = await submitJob(server, first, inputs);
  await server.terminate();
  await damage(data, sha256);
  server = await startServerProcess(data, port);
  await startClientProcess(server);
  await until(async () => (await readJob(server, job)).missingData.length > 0);
  await until(async () => (await readJob(server, job)).counts.done === 30);
  expect(await readJob(server, job)).toMatchObject({
    state: "closed",
    missingData: [sha256],
    counts: { done: 30, failed: 0 },
  });
  expect((await request<ServerStatus>(server, "GET", "/api/status")).damaged).toEqual({
    records: 0,
    blobs: 1,
  });
  expect(server.log()).toContain("was set aside");
  // The damage is remembered across a restart.
  await server.terminate();
  server = await startServerProcess(data, port);
  await until(async () => (await readJob(server, job)).missingData.length > 0);

  await hands.put(bytes);
  await until(async () => (await readJob(server, job)).state === "finished");
  expect(await readJob(server, job)).toMatchObject({ missingData: [], counts: { done: 60, failed: 0 } });
  await expectAllOnce(
    server,
    job,
    inputs.map(({ at }, index) => (index % 2 === 0 ? bytes[at] : at)),
  );
});

test("[ROT-4] a large output whose blob is damaged is a failed result, and no client of HTTP gets all of its bytes", async () => {
  const data = await temporaryDirectory();
  let server = await startServerProcess(data);
  const job = await submitJob(server, "export default () => new Uint8Array(500_000)", [0]);
  const client = await startClientProcess(server);
  await until(async () => (await readJob(server, job)).state === "finished");
  await client.terminate();
  const sha256 = await onlyBlob(data);
  await server.terminate();
  await damage(data, sha256);
  server = await startServerProcess(data);
  const headers = { authorization: `Bearer ${server.token}` };
  const raw = await fetch(`${server.url}/api/blobs/${sha256}`, { headers });
  await expect(raw.arrayBuffer()).rejects.toThrow();
  expect((await fetch(`${server.url}/api/blobs/${sha256}`, { headers })).status).toBe(404);
  const [line] = await request<{ state: string; message: string }[]>(
    server,
    "GET",
    `/api/jobs/${job}/results`,
  );
  expect(line).toMatchObject({ state: "failed", kind: "data", index: 0 });
  expect((await readJob(server, job)).missingData).toEqual([sha256]);
});

async function onlyBlob(data: string): Promise<Sha256> {
  const names = await readdir(join(data, "blobs"), { recursive: true });
  return names.map((name) => name.slice(3)).find((name) => /^[0-9a-f]{64}$/.test(name)) as Sha256;
}
