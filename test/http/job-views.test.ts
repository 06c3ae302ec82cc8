import { publicPage } from "../../server/http/public-page.ts";
import { describe, expect, test } from "vitest";
import { FailureGrouping } from "../../server/dispatch/failure-groups.ts";
import { rangeOfEnd } from "../../server/dispatch/estimate.ts";
import { routeNames } from "../../server/access/rules.ts";
import { audited } from "../../server/access/audited.ts";
import { failurePattern } from "../../shared/wire/failure-pattern.ts";
import type { AuditEntry } from "../../shared/wire/rest/audit.ts";
import type { FailureGroups } from "../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { PublicStatus } from "../../shared/wire/rest/public-status.ts";
import type { JobCostInfo, TaskInfo } from "../../shared/wire/rest/tasks.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { englishWords } from "../support/languages.ts";
import { createJob, json, lines, refusal } from "../support/rest.ts";

const read = async <T>(server: HttpServer, path: string, init: Parameters<HttpServer["request"]>[1] = {}) => {
  const response = await server.request(path, init);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
};

const png = Buffer.from("89504e470d0a1a0a00", "hex");
const put = (body: string | Buffer, type?: string): RequestInit => ({
  method: "PUT",
  body: body as string,
  ...(type !== undefined && { headers: { "content-type": type } }),
});

async function failingJob(server: HttpServer, options: object = {}): Promise<string> {
  const { id } = await createJob(server, {
    inputs: [0, 1, 2, 3, 4, 5],
    maxAttempts: 1,
    failFast: false,
    ...options,
  });
  await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
  return id;
}

const odd = (x: unknown): unknown => {
  if (x === 4) throw new Error("short of memory");
  if (Number(x) % 2 === 1) throw new Error(`no particle ${String(x)} at 0x${String(x)}f`);
  return x;
};

describe("[RETRY-1] failed tasks", () => {
  test("are grouped by what failed, and one group is tried again", async () => {
    const server = await startHttpServer();
    const bad = server.client(odd);
    const id = await failingJob(server);
    const found = await read<FailureGroups>(server, `/api/jobs/${id}/failures`);
    expect(found).toMatchObject({ failed: 4, examined: 4, ungrouped: 0 });
    expect(found.groups.map(({ count, pattern, indexes }) => [count, pattern, indexes])).toEqual([
      [3, "Error: no particle # at #", [1, 3, 5]],
      [1, "Error: short of memory", [4]],
    ]);
    expect(found.groups[0]).toMatchObject({
      message: "Error: no particle 1 at 0x1f",
      stack: "at kernel.js:1",
      clients: [{ failures: 3 }],
    });
    bad.leave();
    const { kind, pattern } = found.groups[0]!;
    const again = await server.request(`/api/jobs/${id}/requeue-failed`, json({ group: { kind, pattern } }));
    expect(await again.json()).toMatchObject({ requeued: 3, job: { counts: { failed: 1 } } });
    server.client();
    await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    const words = await server.request(`/api/jobs/${id}/requeue-failed`, json({ message: "SHORT of" }));
    expect(await words.json()).toMatchObject({ requeued: 1 });
    await refusal(
      await server.request(`/api/jobs/${id}/requeue-failed`, json({ only: 1 })),
      400,
      "BAD_REQUEST",
    );
  });

  test("of several jobs are tried again, by id or group; what cannot be is named", async () => {
    const server = await startHttpServer();
    server.client(odd);
    const a = await failingJob(server, { group: "night" });
    const b = await failingJob(server, { group: "night" });
    const cancelled = await createJob(server, { inputs: [1], open: true });
    await server.request(`/api/jobs/${cancelled.id}/cancel`, { method: "POST" });
    const byId = await server.request("/api/requeue-failed", json({ jobs: [a, cancelled.id] }));
    expect(await byId.json()).toMatchObject({
      requeued: 4,
      jobs: [
        { id: a, requeued: 4 },
        { id: cancelled.id, requeued: 0, refusal: { code: "WRONG_STATE" } },
      ],
    });
    await lines(await server.request(`/api/jobs/${a}/results?follow=1`));
    const byGroup = await server.request("/api/requeue-failed", json({ group: "night", message: "memory" }));
    expect(await byGroup.json()).toEqual({
      requeued: 2,
      jobs: [
        { id: a, requeued: 1 },
        { id: b, requeued: 1 },
      ],
    });
    const other = await server.access.createToken({ role: "customer", name: "bob" });
    const foreign = { ...json({ jobs: [a] }), token: other.secret };
    await refusal(await server.request("/api/requeue-failed", foreign), 404, "NOT_FOUND");
    for (const body of [{}, { jobs: [a], group: "night" }])
      await refusal(await server.request("/api/requeue-failed", json(body)), 400, "BAD_REQUEST");
  });

  test("[STEER-1] several jobs are paused, resumed and cancelled by one request; what cannot be is named", async () => {
    const server = await startHttpServer();
    const make = async () => (await createJob(server, { inputs: [1, 2], open: true })).id;
    const [a, b, ended] = [await make(), await make(), await make()];
    await server.request(`/api/jobs/${ended}/cancel`, { method: "POST" });
    const change = (verb: string, jobs: readonly string[], token = server.tokens.admin) =>
      server.request("/api/change-jobs", { ...json({ verb, jobs }), token });
    const states = async () => {
      const jobs = (await (await server.request("/api/jobs")).json()) as JobInfo[];
      return Object.fromEntries(jobs.map(({ id, state, paused }) => [id, paused ? "paused" : state]));
    };
    expect(await (await change("pause", [a, b, b, ended])).json()).toEqual({
      changed: 2,
      refused: [{ id: ended, refusal: { code: "WRONG_STATE", message: expect.stringMatching(/cancelled/) } }],
    });
    expect(await states()).toEqual({ [a]: "paused", [b]: "paused", [ended]: "cancelled" });
    expect(await (await change("resume", [a])).json()).toEqual({ changed: 1, refused: [] });
    expect(await states()).toMatchObject({ [a]: "open", [b]: "paused" });
    // A repeat after a lost reply finds nothing to refuse.
    for (let times = 0; times < 2; times++)
      expect(await (await change("cancel", [a, b])).json()).toEqual({ changed: 2, refused: [] });
    const audit = (await (await server.request("/api/audit", { token: server.tokens.admin })).json()) as {
      action: string;
      detail: string;
    }[];
    expect(audit.map(({ action, detail }) => [action, detail])).toContainEqual([
      "POST /api/change-jobs",
      `pause 3: ${a}, ${b}, ${ended}`,
    ]);
    const other = await server.access.createToken({ role: "customer", name: "bob" });
    await refusal(await change("resume", [a, b], other.secret), 404, "NOT_FOUND");
    for (const [verb, jobs] of [
      ["delete", [a]],
      ["pause", []],
    ] as const)
      await refusal(await change(verb, jobs), 400, "BAD_REQUEST");
  });

  test("numbers, hashes and signs do not split a group; kinds do", () => {
    const message = "row -12.5e3 of 9f86d081884c7d65 is bad at v2";
    expect(failurePattern({ message })).toBe("row # of # is bad at v#");
    const grouping = new FailureGrouping();
    for (let index = 0; index < 150; index++)
      grouping.add({ index, kind: index % 2 ? "error" : "timeout", message: `no ${index}`, attempts: 1 });
    for (let index = 0; index < 120; index++)
      grouping.add({ index, kind: "error", message: "x".repeat(index + 1), attempts: 1 });
    const told = grouping.groups(270);
    expect(told.groups).toHaveLength(100);
    expect(told).toMatchObject({ examined: 270, ungrouped: 22 });
    expect(told.groups[0]).toMatchObject({ count: 75, indexes: { length: 20 } });
  });
});

describe("[TASK-1] [COST-1] one task, and what a job cost", () => {
  test("state, sizes, runs, log, slowest tasks", async () => {
    const server = await startHttpServer();
    const holder = server.client(undefined, { answering: false, want: 1 });
    const { id } = await createJob(server, { inputs: ["abc", 1, 4], maxAttempts: 1 });
    const task = (index: number) => read<TaskInfo>(server, `/api/jobs/${id}/tasks/${index}`);
    expect(await task(0)).toMatchObject({
      state: "running",
      leases: [{ attempt: 1, name: "bench 7" }],
      output: null,
    });
    expect(await task(2)).toMatchObject({ state: "queued", input: { bytes: 1, references: 0 }, runs: [] });
    holder.want(0);
    holder.log(id, 0, "half way");
    holder.deliver(() => "out");
    server.client(odd);
    await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    const done = await task(0);
    expect(done).toMatchObject({
      state: "done",
      input: { bytes: 4 },
      output: { bytes: 4 },
      runs: [{ attempt: 1, name: "bench 7" }],
      leases: [],
      log: [{ line: "half way" }],
    });
    expect(done.seq).toBeGreaterThan(0);
    expect(await task(2)).toMatchObject({
      state: "failed",
      failure: { message: "Error: short of memory" },
      runs: [{ failure: { message: "Error: short of memory" } }],
    });
    const cost = await read<JobCostInfo>(server, `/api/jobs/${id}/cost`);
    expect(cost.attempts).toBe(3);
    expect(cost.slowest.map(({ index }) => index).sort((a, b) => a - b)).toEqual([0, 1, 2]);
    await server.platform.flush();
    expect(await server.store.jobCost(id as never)).toMatchObject({ attempts: 3 });
    expect(await read<JobCostInfo>(server, `/api/jobs/${id}/cost`)).toMatchObject({ attempts: 3 });
    await refusal(await server.request(`/api/jobs/${id}/tasks/9`), 404, "NOT_FOUND");
    await refusal(await server.request(`/api/jobs/${id}/tasks/x`), 400, "BAD_REQUEST");
  });

  test("the range of the end narrows with a steady rate, and has no bound where the rate may be 0", () => {
    expect(
      rangeOfEnd(
        Array.from({ length: 60 }, () => 10),
        600,
      ),
    ).toEqual([60_000, 60_000]);
    expect(rangeOfEnd([1, 1, 1], 5)).toBeUndefined();
    expect(
      rangeOfEnd(
        Array.from({ length: 60 }, () => 0),
        5,
      ),
    ).toBeUndefined();
    const rare = Array.from({ length: 60 }, (_, second) => (second === 30 ? 30 : 0));
    const [earliest, latest] = rangeOfEnd(rare, 60)!;
    expect(earliest).toBeLessThan(120_000);
    expect(latest).toBeNull();
    const noisy = Array.from({ length: 60 }, (_, second) => (second % 2 ? 12 : 8) + (second % 7));
    const [low, high] = rangeOfEnd(noisy, 1300)!;
    expect(low).toBeLessThan(100_000);
    expect(high).toBeGreaterThan(100_000);
    expect(high! - low).toBeLessThan(20_000);
  });
});

describe("[ATTACH-1] [ATTACH-2] attachments over HTTP", () => {
  test("pictures, texts and tables are kept, shown under a policy that runs nothing, and deleted", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const at = (name: string) => `/api/jobs/${id}/attachments/${name}`;
    expect(await (await server.request(at("fsc.png"), put(png))).json()).toMatchObject({
      type: "image/png",
      size: 9,
    });
    const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/")</script></svg>`;
    expect((await server.request(at("a%20b%C3%A4.svg"), put(svg, "image/svg+xml"))).status).toBe(200);
    expect((await server.request(at("table"), put("a,b\n1,2", "text/csv"))).status).toBe(200);
    const list = await read<{ name: string }[]>(server, `/api/jobs/${id}/attachments`);
    expect(list.map(({ name }) => name)).toEqual(["a bä.svg", "fsc.png", "table"]);
    const shown = await server.request(at("a%20b%C3%A4.svg"), { token: server.tokens.admin });
    expect(await shown.text()).toBe(svg);
    expect(Object.fromEntries(shown.headers)).toMatchObject({
      "content-type": "image/svg+xml",
      "content-security-policy": expect.stringMatching(/^default-src 'none'.*; sandbox$/) as string,
      "x-content-type-options": "nosniff",
      "content-disposition": "inline; filename*=UTF-8''a%20b%C3%A4.svg",
    });
    expect((await server.request(at("table"), { method: "DELETE" })).status).toBe(204);
    await refusal(await server.request(at("table")), 404, "NOT_FOUND");
    const other = await server.access.createToken({ role: "customer", name: "bob" });
    await refusal(await server.request(at("fsc.png"), { token: other.secret }), 404, "NOT_FOUND");
  });

  test("what is something else is refused by name", async () => {
    const server = await startHttpServer({ customerQuotaBytes: 5_000_000 });
    const { id } = await createJob(server);
    const send = (name: string, init: RequestInit) =>
      server.request(`/api/jobs/${id}/attachments/${name}`, init);
    await refusal(await send("x.png", put(Buffer.from("GIF89a"))), 400, "BAD_REQUEST");
    await refusal(await send("x.svg", put("<html></html>", "image/svg+xml")), 400, "BAD_REQUEST");
    await refusal(
      await send("x.txt", put(Buffer.from([0xff, 0xfe, 0x41]), "text/plain")),
      400,
      "BAD_REQUEST",
    );
    await refusal(await send("x.html", put("<p>", "text/html")), 415, "UNSUPPORTED_TYPE");
    for (const name of ["%2e%2e%2fx.png", ".x.png", "a%0Ab.png"])
      await refusal(await send(name, put(png)), 400, "BAD_REQUEST");
    await refusal(await send("x.txt", put("x".repeat(4 * 1024 * 1024 + 1), "text/plain")), 413, "TOO_LARGE");
    expect((await send("y.txt", put("y".repeat(4_000_000), "text/plain"))).status).toBe(200);
    await refusal(await send("z.txt", put("z".repeat(2_000_000), "text/plain")), 507, "QUOTA_EXCEEDED");
  });

  test("results are downloaded as files", async () => {
    const server = await startHttpServer();
    server.client();
    const { id } = await createJob(server, { inputs: [1, 2] });
    await lines(await server.request(`/api/jobs/${id}/results?follow=1`));
    const file = await server.request(`/api/jobs/${id}/results?format=ndjson`, {
      headers: { accept: "text/html" },
    });
    expect(file.headers.get("content-disposition")).toBe(`attachment; filename="${id}.ndjson"`);
    expect((await lines(file)).map(({ state }) => state)).toEqual(["done", "done", "end"]);
    const packed = await server.request(`/api/jobs/${id}/results?format=msgpack`);
    expect(packed.headers.get("content-type")).toMatch("msgpack");
    await packed.arrayBuffer();
    await refusal(await server.request(`/api/jobs/${id}/results?format=xml`), 400, "BAD_REQUEST");
  });
});

describe("[AUDIT-1] what administrators do", () => {
  const entries = (server: HttpServer, query = "") =>
    read<AuditEntry[]>(server, `/api/audit${query}`, { token: server.tokens.admin });

  test("is noted with the actor, the subject and the outcome; what customers do is not", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { name: "night run" });
    const asAdmin = (path: string, init: RequestInit = { method: "POST" }) =>
      server.request(path, { ...init, token: server.tokens.admin });
    await server.request(`/api/jobs/${id}/pause`, { method: "POST" });
    await asAdmin(`/api/jobs/${id}/cancel`);
    await asAdmin("/api/jobs/j_aaaaaaaaaaaaaaaa/cancel");
    await asAdmin("/api/tokens", json({ role: "volunteer", name: "open day", maxClients: 3 }));
    await server.request("/api/sign-in", { ...json({ token: server.tokens.admin }), token: null });
    const [signedIn, token, missed, cancelled, ...others] = await entries(server);
    expect(others).toEqual([]);
    expect(cancelled).toMatchObject({
      actor: "admin",
      action: "POST /api/jobs/{id}/cancel",
      subject: id,
      detail: "“night run” of ada",
      refusal: null,
    });
    expect(missed).toMatchObject({ subject: "j_aaaaaaaaaaaaaaaa", refusal: "NOT_FOUND" });
    expect(token).toMatchObject({ detail: expect.stringMatching(/^t_\w+: volunteer “open day”$/) as string });
    expect(signedIn).toMatchObject({ action: "POST /api/sign-in", actor: "admin" });
    const page = await entries(server, "?limit=2");
    expect(page).toHaveLength(2);
    expect((await entries(server, `?limit=2&cursor=${page[1]!.number}`)).map(({ number }) => number)).toEqual(
      [missed!.number, cancelled!.number],
    );
    await refusal(await server.request("/api/audit"), 403, "FORBIDDEN");
    await refusal(
      await server.request("/api/audit?limit=0", { token: server.tokens.admin }),
      400,
      "BAD_REQUEST",
    );
  });

  test("every route that changes something says whether it is noted", () => {
    const changing = routeNames.filter((name) => !/^(?:GET|HEAD) /.test(name));
    expect(Object.keys(audited).sort()).toEqual([...changing].sort());
  });
});

describe("[PUBLIC-1] the public page", () => {
  test("is not there unless it is switched on", async () => {
    const server = await startHttpServer();
    for (const path of ["/status", "/api/public-status"])
      await refusal(await server.request(path, { token: null }), 404, "NOT_FOUND");
  });

  test("tells progress, and names of jobs that allow it alone", async () => {
    const server = await startHttpServer({ publicStatus: true });
    server.client();
    await createJob(server, { name: "secret plan", inputs: [1], requires: { webgpu: true } });
    await createJob(server, {
      name: "<b>open & \u202efree",
      public: true,
      inputs: [1, 2],
      requires: { webgpu: true },
    });
    await eventually(async () => {
      const status = await read<PublicStatus>(server, "/api/public-status", { token: null });
      expect(status).toMatchObject({ clients: 1, jobCount: 2, jobs: [{}, {}] });
      expect(status.jobs.map(({ name, customer }) => [name, customer])).toEqual([
        ["<b>open & \u202efree", "ada"],
        [null, null],
      ]);
    });
    const page = await server.request("/status", { token: null });
    const html = await page.text();
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
    expect(html).toContain("&#60;b&#62;open &#38; \ufffdfree");
    expect(html).not.toMatch(/secret|bench 7|<script|\u202e/);
  });

  test("says which project it is of", () => {
    const status = {
      clients: 1,
      slots: 1,
      busy: 0,
      rate: 0,
      tasksDone: 0,
      tasksWaiting: 0,
      startedAt: 0,
      jobs: [],
      jobCount: 0,
    };
    const project = { title: "Ribosomes <b>", text: "We look at them.", link: 'https://example.org/"' };
    const page = publicPage(status, project, true, "en");
    expect(page).toContain('<h1 dir="auto">Ribosomes &#60;b&#62;</h1>');
    expect(page).toContain("<title>Ribosomes &#60;b&#62;</title>");
    expect(page).toMatch(/We look at them\.[^]*href="https:\/\/example\.org\/&#34;"/);
    expect(publicPage(status, undefined, true, "en")).toContain("What these computers do together");
  });

  test("[TEXTS-1] speaks the language that the browser asks for, else English", async () => {
    const server = await startHttpServer({ publicStatus: true });
    await createJob(server, { inputs: [1, 2], requires: { webgpu: true } });
    const ask = async (language: string): Promise<string> => {
      const page = await server.request("/status", { token: null, headers: { "accept-language": language } });
      expect(page.headers.get("vary")).toMatch(/accept-language/i);
      return page.text();
    };
    await eventually(async () => {
      const german = await ask("de-AT,de;q=0.9,en;q=0.8");
      expect(german).toMatch(/<html lang="de">[\s\S]*1 Auftrag in Arbeit[\s\S]*0 von 2 Aufgaben fertig/);
      expect(german.replace(/<head>[\s\S]*<\/head>/, "")).not.toMatch(englishWords);
    });
    for (const language of ["fr", "en-GB,de;q=0.5", "*"])
      expect(await ask(language)).toMatch(/<html lang="en">[\s\S]*1 job under way/);
  });
});
