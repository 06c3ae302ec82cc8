import { describe, expect, test } from "vitest";
import { isPastKeeping } from "../../server/dispatch/retention.ts";
import type { JobRow } from "../../server/store/store.ts";
import { createJob, json } from "../support/rest.ts";
import { startHttpServer } from "../support/http-server.ts";

const hour = 3_600_000;
const day = 24 * hour;

describe("[KEEP-1] an ended job is kept", () => {
  const kept = { done: 30 * day, failed: 90 * day };
  const at = (row: Partial<JobRow>, days: number) =>
    isPastKeeping({ state: "finished", endedAt: 0, failed: 0, ...row } as JobRow, kept, days * day);

  test("as long as the server keeps jobs that ended so, and for ever where it says nothing", () => {
    expect([29, 30].map((days) => at({}, days))).toEqual([false, true]);
    for (const row of [{ failed: 1 }, { state: "quarantined" }, { state: "blocked" }] as const)
      expect([89, 90].map((days) => at(row, days))).toEqual([false, true]);
    expect(at({ state: "cancelled" }, 10_000)).toBe(false);
    expect(at({ state: "open", endedAt: undefined }, 10_000)).toBe(false);
  });

  test("no longer than its customer wants, and no longer than the server does", () => {
    expect([1, 2].map((days) => at({ keepMs: 2 * day }, days))).toEqual([false, true]);
    expect(at({ keepMs: 365 * day }, 30)).toBe(true);
    expect([1, 2].map((days) => at({ state: "cancelled", keepMs: 2 * day }, days))).toEqual([false, true]);
  });
});

test("[KEEP-1] jobs past their time are deleted, with their results; what is open or followed stays", async () => {
  const server = await startHttpServer({ keepJobs: { done: 2 * hour, cancelled: hour } });
  const make = async (options: object) => (await createJob(server, options)).id;
  const [old, own, followed] = [
    await make({ inputs: [1] }),
    await make({ inputs: [1], keepMs: hour }),
    await make({ inputs: [1] }),
  ];
  const open = await make({ inputs: [1], open: true });
  server.client();
  const cancelled = await make({});
  await server.request(`/api/jobs/${cancelled}/cancel`, { method: "POST" });
  const stateOf = async (id: string) => {
    const reply = await server.request(`/api/jobs/${id}`);
    return reply.ok ? ((await reply.json()) as { state: string }).state : reply.status;
  };
  for (const id of [old, own, followed]) await expect.poll(() => stateOf(id)).toBe("finished");
  const states = () => Promise.all([old, own, followed, open, cancelled].map(stateOf));
  expect(await server.platform.deleteOld(Date.now())).toBe(0);
  expect(await server.platform.deleteOld(Date.now() + hour + 1000)).toBe(2);
  expect(await states()).toEqual(["finished", 404, "finished", "open", 404]);
  const reader = new AbortController();
  const waiting = server.platform.moved(followed, reader.signal);
  expect(await server.platform.deleteOld(Date.now() + 3 * hour)).toBe(1);
  expect(await states()).toEqual([404, 404, "finished", "open", 404]);
  reader.abort();
  await waiting;
  expect(await server.platform.deleteOld(Date.now() + 3 * hour)).toBe(1);
  const refused = await server.request(
    "/api/jobs",
    json({ kernel: { source: "export default 1" }, keepMs: 5 }),
  );
  expect(refused.status).toBe(400);
});

test("[KEEP-1] a job stays while a reply sends its results, however slowly", async () => {
  const server = await startHttpServer({ keepJobs: { done: hour } });
  const { id } = await createJob(server, { inputs: Array.from({ length: 64 }, (_, index) => index) });
  server.client(() => "x".repeat(500_000));
  await expect
    .poll(async () => ((await (await server.request(`/api/jobs/${id}`)).json()) as { state: string }).state)
    .toBe("finished");
  const deleteOld = () => server.platform.deleteOld(Date.now() + 2 * hour);
  const reply = await server.request(`/api/jobs/${id}/results`, {
    headers: { accept: "application/x-ndjson" },
  });
  expect(await deleteOld()).toBe(0);
  expect((await reply.text()).trim().split("\n")).toHaveLength(64 + 1);
  expect(await deleteOld()).toBe(1);
});
