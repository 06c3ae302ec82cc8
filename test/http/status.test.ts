import type { AuditEntry } from "../../shared/wire/rest/audit.ts";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, refusal } from "../support/rest.ts";

function listen(server: HttpServer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.tokens.admin}` };
    get(`${server.url}/api/events`, { headers, agent: false }, resolve).on("error", reject);
  });
}

describe("events", () => {
  test("one computation serves all listeners, and none is made when the last has gone", async () => {
    const server = await startHttpServer();
    let computed = 0;
    const real = server.platform.snapshot.bind(server.platform);
    server.platform.snapshot = () => {
      computed++;
      return real();
    };
    const listeners = await Promise.all(Array.from({ length: 10 }, () => listen(server)));
    const events = listeners.map((listener) => {
      let count = 0;
      listener.on("data", (chunk) => (count += String(chunk).split("\n\n").length - 1));
      return () => count;
    });
    await eventually(() => expect(Math.min(...events.map((count) => count()))).toBeGreaterThanOrEqual(2));
    // A snapshot serves all listeners, slow ones too; a snapshot for each would be ten times as many.
    expect(computed).toBeLessThanOrEqual(2 * Math.max(...events.map((count) => count())) + 1);
    for (const listener of listeners) listener.destroy();
    let before = -1;
    await eventually(() => {
      const standsStill = before === computed;
      before = computed;
      expect(standsStill).toBe(true);
    }, 1_500);
  });

  test("[FLOW-4] a listener that is behind misses snapshots and gets the newest when it reads on", async () => {
    const server = await startHttpServer();
    const real = server.platform.snapshot.bind(server.platform);
    let computed = 0;
    // Far more than the buffers of a connection hold.
    server.platform.snapshot = async () => ({
      ...(await real()),
      throughput: Array<number>(4_000_000).fill(++computed),
    });
    const [slow, keen] = await Promise.all([listen(server), listen(server)]);
    const seenBy = (listener: IncomingMessage): number[] => {
      const seen: number[] = [];
      let rest = "";
      listener.setEncoding("latin1").on("data", (chunk: string) => {
        const text = rest + chunk;
        let end = text.length - 30;
        for (const match of text.matchAll(/"throughput":\[(\d+),/g)) {
          seen.push(Number(match[1]));
          end = Math.max(end, match.index + match[0].length);
        }
        rest = text.slice(Math.max(0, end));
      });
      return seen;
    };
    const seen = seenBy(slow);
    await eventually(() => expect(seen).toHaveLength(1));
    slow.pause();
    const all = seenBy(keen);
    await eventually(() => expect(all.at(-1)).toBeGreaterThanOrEqual(seen[0]! + 5));
    slow.resume();
    await eventually(() => expect(seen.at(-1)).toBeGreaterThanOrEqual(all[0]! + 5));
    expect(seen.length).toBeLessThan(seen.at(-1)! - seen[0]!);
    slow.destroy();
    keen.destroy();
  }, 60_000);

  test("a listener hears at least every few seconds, also when nothing changes", async () => {
    const server = await startHttpServer();
    const listener = await listen(server);
    let text = "";
    listener.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await eventually(() => expect(text).toMatch(/^data: \{.*\}\n\n(event: alive\ndata\n\n){2}/));
    listener.destroy();
  });

  test("a listener whose token is revoked is cut off", async () => {
    const server = await startHttpServer();
    const listener = await listen(server);
    const cut = new Promise((resolve) => listener.once("error", resolve));
    listener.resume();
    const admin = (await server.access.list()).find(({ role }) => role === "admin")!;
    await server.access.revoke(admin.id);
    expect(String(await cut)).toContain("aborted");
  });

  test("a snapshot that fails ends no listener", async () => {
    const server = await startHttpServer();
    const real = server.platform.snapshot.bind(server.platform);
    let failures = 0;
    server.platform.snapshot = () => (failures++ === 0 ? Promise.reject(new Error("busy")) : real());
    const listener = await listen(server);
    const [chunk] = (await once(listener, "data")) as [Buffer];
    expect(String(chunk)).toMatch(/^data: \{"status"/);
    listener.destroy();
  });
});

describe("[STATUS-1] the jobs that the status page is pushed", () => {
  test("have those that run and those that fail among them, however many are newer", async () => {
    const server = await startHttpServer();
    const client = server.client(() => {
      throw new Error("bad");
    });
    const make = (name: string, options = {}) =>
      createJob(server, { inputs: [1], name, maxAttempts: 1, ...options });
    const failed = await make("failed");
    const isOver = async (id: string): Promise<boolean> =>
      ((await (await server.request(`/api/jobs/${id}`)).json()) as JobInfo).state === "finished";
    await eventually(async () => expect(await isOver(failed.id)).toBe(true));
    client.answering = false;
    const running = await make("running");
    for (let n = 0; n < 120; n++) await make(`waiting ${n}`, { requires: { kind: "browser" } });
    const { jobs, jobCount, status } = await server.platform.snapshot();
    expect(jobs.slice(0, 2).map(({ id, counts }) => [id, counts.running > 0, counts.failed])).toEqual([
      [running.id, true, 0],
      [failed.id, false, 1],
    ]);
    expect({ shown: jobs.length, jobCount, active: status.jobs }).toEqual({
      shown: 100,
      jobCount: 122,
      active: 121,
    });
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(100);
  });
});

describe("[LIST-1] jobs over HTTP", () => {
  test("come in pages, by words and state; a customer sees its own; wrong queries are refused by name", async () => {
    const server = await startHttpServer();
    const made: JobInfo[] = [];
    for (let n = 0; n < 5; n++) made.push(await createJob(server, { name: `run ${n % 2 ? "odd" : "even"}` }));
    const list = async (query: string, token = server.tokens.customer) => {
      const response = await server.request(`/api/jobs${query}`, { token });
      const jobs = (await response.json()) as JobInfo[];
      return {
        ids: jobs.map(({ id }) => made.findIndex((job) => job.id === id)),
        next: response.headers.get("next-cursor"),
      };
    };
    expect(await list("")).toEqual({ ids: [4, 3, 2, 1, 0], next: null });
    const first = await list("?limit=2");
    expect(first.ids).toEqual([4, 3]);
    const second = await list(`?limit=2&cursor=${first.next}`);
    expect(second.ids).toEqual([2, 1]);
    expect(await list(`?limit=2&cursor=${second.next}`)).toEqual({ ids: [0], next: null });
    expect((await list("?search=ODD%20run")).ids).toEqual([3, 1]);
    const sorted = await list("?limit=3&sort=name");
    expect(sorted.ids).toEqual([0, 2, 4]);
    expect((await list(`?limit=3&sort=name&cursor=${sorted.next}`)).ids).toEqual([1, 3]);
    await refusal(await server.request(`/api/jobs?limit=3&cursor=${sorted.next}`), 400, "BAD_REQUEST");
    await server.request(`/api/jobs/${made[0]!.id}/cancel`, { method: "POST" });
    expect((await list("?state=ended")).ids).toEqual([0]);
    expect((await list("?state=cancelled&search=odd")).ids).toEqual([]);
    expect((await list("?state=active&limit=1")).ids).toEqual([4]);
    expect((await list("?state=running")).ids).toEqual([]);
    const other = await server.access.createToken({ role: "customer", name: "bob" });
    expect((await list("?search=run", other.secret)).ids).toEqual([]);
    for (const query of ["limit=0", "limit=x", "limit=9999", "state=odd", "cursor=x", "group=", "sort=odd"])
      await refusal(await server.request(`/api/jobs?${query}`), 400, "BAD_REQUEST");
  });
});

describe("figures and health of the server", () => {
  test("metrics: jobs, tasks, clients, blobs, request times, event loop; labels are bounded", async () => {
    const server = await startHttpServer();
    server.client();
    await createJob(server, { inputs: [1, 2] });
    await server.request("/api/jobs/j_aaaaaaaaaaaaaaaa");
    await server.request("/random/path/7");
    const response = await server.request("/metrics", { token: server.tokens.admin });
    expect(response.headers.get("content-type")).toMatch("text/plain");
    const text = await response.text();
    for (const line of [
      /^manyhands_tasks\{state="(queued|done)"\} \d/m,
      /^manyhands_clients\{kind="node"\} 1$/m,
      /^manyhands_slots\{use="\w+"\} \d/m,
      /^manyhands_dropped_results 0$/m,
      /^manyhands_healthy 1$/m,
      /^manyhands_disk_free_bytes [1-9]\d{6,}/m,
      /^manyhands_blob_bytes 0$/m,
      /^manyhands_leases \d/m,
      /^manyhands_http_request_duration_seconds_count\{method="GET",route="\/api\/jobs\/\{id\}",status="404"\} 1$/m,
      /^nodejs_eventloop_lag_p99_seconds/m,
    ])
      expect(text).toMatch(line);
    expect(text).not.toContain("random");
  });

  test("health needs no token and tells nothing", async () => {
    const server = await startHttpServer();
    const response = await server.request("/healthz", { token: null });
    expect(await response.json()).toEqual({ status: "ok", version: expect.any(String) });
  });

  test("customers do not see where volunteers sit", async () => {
    const server = await startHttpServer();
    server.client();
    const addresses = async (token: string): Promise<string[]> =>
      ((await (await server.request("/api/clients", { token })).json()) as ClientInfo[]).map(
        ({ address }) => address,
      );
    expect(await addresses(server.tokens.customer)).toEqual([""]);
    expect(await addresses(server.tokens.admin)).toEqual(["127.0.0.1"]);
  });

  test("[AUDIT-1] clients are disconnected and banned; the audit log has their names", async () => {
    const server = await startHttpServer();
    const client = server.client();
    const asAdmin = (path: string, method = "POST") =>
      server.request(path, { method, token: server.tokens.admin });
    await refusal(await asAdmin("/api/clients/c_nobody/disconnect"), 404, "NOT_FOUND");
    expect((await asAdmin(`/api/clients/${client.id}/disconnect`)).status).toBe(204);
    expect(client.closed).toBe(true);
    expect((await asAdmin(`/api/clients/${client.id}/ban`)).status).toBe(204);
    expect(await server.store.listBans()).toMatchObject([
      { subject: client.id, reason: "by the administrator" },
    ]);
    const noted = (await (await asAdmin("/api/audit", "GET")).json()) as AuditEntry[];
    expect(noted.map(({ detail }) => detail)).toEqual([
      `${client.id} “bench 7”: by the administrator`,
      `${client.id} “bench 7”`,
      "c_nobody",
    ]);
    expect((await asAdmin(`/api/bans/${client.id}`, "DELETE")).status).toBe(204);
    await refusal(await asAdmin(`/api/bans/${client.id}`, "DELETE"), 404, "NOT_FOUND");
  });
});
