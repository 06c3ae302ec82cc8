import { get, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import type { JobProgress } from "../../shared/wire/rest/jobs.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, json, ndjson, refusal } from "../support/rest.ts";

/** The lines that a reader got so far. */
interface Reader {
  readonly response: IncomingMessage;
  readonly lines: JobProgress[];
  readonly ended: Promise<void>;
}

async function follow(server: HttpServer, id: string, token = server.tokens.customer): Promise<Reader> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    get(`${server.url}/api/jobs/${id}/progress`, { headers, agent: false }, resolve).on("error", reject);
  });
  expect(response.statusCode).toBe(200);
  const lines: Reader["lines"] = [];
  response.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n").filter(Boolean)) lines.push(JSON.parse(line) as JobProgress);
  });
  response.on("error", () => undefined);
  return { response, lines, ended: new Promise<void>((resolve) => response.once("close", resolve)) };
}

describe("[PROGRESS-2] progress of a job, pushed", () => {
  test("the picture now, each change, and the end; at most four lines a second however often something happens", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const startedAt = performance.now();
    const { lines, ended } = await follow(server, id);
    await eventually(() => expect(lines).toMatchObject([{ state: "open", counts: { total: 0 } }]));
    server.client();
    for (let index = 0; index < 200; index++)
      await server.request(`/api/jobs/${id}/tasks`, ndjson(`{"input":${index}}`));
    await eventually(() => expect(lines.at(-1)).toMatchObject({ counts: { total: 200, done: 200 } }));
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    await ended;
    expect(lines.at(-1)).toMatchObject({ state: "finished", fraction: 1, counts: { done: 200 } });
    // The first line comes at once, and so may the last, which ends the stream.
    expect(lines.length).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 250);
    expect(lines.length).toBeGreaterThan(2);
  });

  test("a job that only waits shows the reason, and the end of waiting is told at once", async () => {
    const server = await startHttpServer();
    const first = await createJob(server);
    const second = await createJob(server, { after: [first.id], inputs: [1] });
    const { lines, ended } = await follow(server, second.id);
    await eventually(() => expect(lines[0]).toMatchObject({ waitingFor: [first.id], counts: { queued: 1 } }));
    await server.request(`/api/jobs/${first.id}/close`, { method: "POST" });
    await eventually(() => expect(lines.at(-1)).toMatchObject({ state: "closed", waitingFor: [] }));
    server.client();
    await ended;
    expect(lines.at(-1)).toMatchObject({ state: "finished", counts: { done: 1 } });
  });

  test("pause and the progress of kernels are news, too", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server, { inputs: [1], open: true });
    const { lines } = await follow(server, id);
    await server.request(`/api/jobs/${id}/pause`, { method: "POST" });
    await eventually(() => expect(lines.at(-1)).toMatchObject({ paused: true }));
    await server.request(`/api/jobs/${id}/resume`, { method: "POST" });
    const client = server.client();
    client.answering = false;
    await eventually(() => expect(lines.at(-1)).toMatchObject({ counts: { running: 1 }, fraction: 0 }));
    client.progress(id, 0, 0.5);
    await eventually(() => expect(lines.at(-1)).toMatchObject({ fraction: 0.5 }));
  });

  test("a reader that does not read keeps nothing waiting for it, and gets the newest when it reads on", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const { response, lines, ended } = await follow(server, id);
    await eventually(() => expect(lines).toHaveLength(1));
    response.pause();
    server.client();
    await server.request(`/api/jobs/${id}/tasks`, ndjson('{"input":1}\n{"input":2}'));
    await server.request(`/api/jobs/${id}/close`, { method: "POST" });
    await eventually(async () => expect((await server.platform.job(id)).state).toBe("finished"));
    response.resume();
    await ended;
    expect(lines.at(-1)).toMatchObject({ state: "finished", counts: { done: 2 } });
  });

  test("a reader that goes away, a job that is deleted, a token that is revoked: nothing stays behind", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const waits: AbortSignal[] = [];
    const real = server.platform.moved.bind(server.platform);
    server.platform.moved = (job, signal) => {
      waits.push(signal);
      return real(job, signal);
    };
    const gone = await follow(server, id);
    await eventually(() => expect(waits.length).toBeGreaterThan(0));
    gone.response.destroy();
    await eventually(() => expect(waits.at(-1)?.aborted).toBe(true));
    const { secret, info } = await server.access.createToken({ role: "customer", name: "ada" });
    const revoked = await follow(server, id, secret);
    await server.access.revoke(info.id);
    await revoked.ended;
    const deleted = await follow(server, id);
    await server.request(`/api/jobs/${id}`, { method: "DELETE" });
    await deleted.ended;
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test("another customer's job does not exist", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const { secret } = await server.access.createToken({ role: "customer", name: "bob" });
    await refusal(await server.request(`/api/jobs/${id}/progress`, { token: secret }), 404, "NOT_FOUND");
    const cancelled = await server.request(`/api/jobs/${id}/cancel`, json({}));
    expect(cancelled.status).toBe(200);
  });
});
