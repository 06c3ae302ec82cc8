import { expect, test } from "vitest";
import { onceKeyPrefix } from "../../shared/wire/rest/job-options.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";

const dayMs = 24 * 3600 * 1000;
const json = { "content-type": "application/json" };

async function openJob(server: HttpServer, options: object = {}): Promise<string> {
  const kernel = { source: "export default (x) => x" };
  const body = JSON.stringify({ kernel, inputs: [1], open: true, ...options });
  const made = await server.request("/api/jobs", { method: "POST", headers: json, body });
  return ((await made.json()) as { id: string }).id;
}

const stateOf = async (server: HttpServer, id: string) =>
  (await (await server.request(`/api/jobs/${id}`)).json()) as { state: string; failures: object[] };

test("[KEY-3] [FEED-2] an open job whose customer is gone is cancelled, and says why; later when it has a key", async () => {
  const server = await startHttpServer();
  const jobs = {
    plain: await openJob(server),
    once: await openJob(server, { key: `${onceKeyPrefix}x` }),
    keyed: await openJob(server, { key: "mine" }),
    closed: await openJob(server, { open: false }),
  };
  const fed = await openJob(server, { open: false, inputs: undefined, inputsFrom: jobs.closed });
  const now = Date.now();
  expect(await server.platform.endAbandoned(now + 6.9 * dayMs)).toBe(0);
  expect(await server.platform.endAbandoned(now + 7.1 * dayMs)).toBe(2);
  for (const id of [jobs.plain, jobs.once])
    expect(await stateOf(server, id)).toMatchObject({
      state: "cancelled",
      failures: [{ message: expect.stringMatching(/7 days/) as string }],
    });
  expect(await server.platform.endAbandoned(now + 31 * dayMs)).toBe(1);
  expect(await stateOf(server, jobs.keyed)).toMatchObject({ state: "cancelled" });
  expect(await stateOf(server, jobs.closed)).toMatchObject({ state: "closed" });
  expect(await stateOf(server, fed)).toMatchObject({ state: "open" });
});

test("[KEY-3] an open job that somebody follows goes on", async () => {
  const server = await startHttpServer();
  const id = await openJob(server);
  const later = Date.now() + 8 * dayMs;
  const reading = new AbortController();
  const results = await server.request(`/api/jobs/${id}/results?follow=1`, { signal: reading.signal });
  expect(results.status).toBe(200);
  // Reached when the reply waits for the job's first result.
  await eventually(async () => {
    expect(await server.platform.endAbandoned(later)).toBe(0);
    expect(await stateOf(server, id)).toMatchObject({ state: "open" });
  });
  reading.abort();
  await eventually(async () => expect(await server.platform.endAbandoned(later)).toBe(1));
});
