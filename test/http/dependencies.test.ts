import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { GroupInput } from "../../shared/wire/group-input.ts";
import type { CancelledGroup, JobInfo } from "../../shared/wire/rest/jobs.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob, json, kernel, lines, refusal } from "../support/rest.ts";

const post: RequestInit = { method: "POST" };

async function read(server: HttpServer, id: string): Promise<JobInfo> {
  return (await (await server.request(`/api/jobs/${id}`)).json()) as JobInfo;
}

const whole = (server: HttpServer, id: string) =>
  server.request(`/api/jobs/${id}/results?follow=1`).then(lines);

describe("jobs after jobs", () => {
  test("[AFTER-1] a task is not leased before its time; then it is, without a request", async () => {
    const server = await startHttpServer();
    const computed: unknown[] = [];
    const first = await createJob(server, { name: "first", inputs: [1, 2] });
    const second = await createJob(server, { name: "second", inputs: [3], after: [first.id] });
    const third = await createJob(server, { name: "third", inputs: [4], after: [first.id, second.id] });
    expect([second.waitingFor, third.waitingFor]).toEqual([[first.id], [first.id, second.id]]);
    server.client((x) => {
      computed.push(x);
      return x;
    });
    expect((await whole(server, third.id)).at(-1)).toMatchObject({ job: "finished", counts: { done: 1 } });
    expect(computed).toEqual([1, 2, 3, 4]);
    expect((await read(server, second.id)).waitingFor).toEqual([]);
  });

  test("[AFTER-2] a reader of results of a job that becomes blocked is told at once, with the reason", async () => {
    const server = await startHttpServer();
    server.client(() => {
      throw new Error("no particle");
    });
    const first = await createJob(server, { open: true, inputs: [1], maxAttempts: 1, name: "picking" });
    const second = await createJob(server, { inputs: [1, 2], after: [first.id] });
    const reading = whole(server, second.id);
    await server.request(`/api/jobs/${first.id}/close`, post);
    expect((await reading).at(-1)).toMatchObject({ job: "blocked", counts: { failed: 2, done: 0 } });
    const [reason] = (await read(server, second.id)).failures;
    expect(reason).toMatchObject({ kind: "blocked", message: expect.stringMatching(/picking.*1 of 1/) });
    const late = await server.request("/api/jobs", json({ kernel, inputs: [1], after: [second.id] }));
    expect([late.status, await late.json()]).toMatchObject([201, { state: "blocked" }]);
  });

  test("[AFTER-4] requeued from the beginning of the line, everything is computed", async () => {
    const server = await startHttpServer();
    const first = await createJob(server, { inputs: [1] });
    const second = await createJob(server, { inputs: [2], after: [first.id] });
    await server.request(`/api/jobs/${first.id}/cancel`, post);
    const refused = await server.request(`/api/jobs/${second.id}/requeue-failed`, post);
    expect(await refusal(refused, 409, "WRONG_STATE")).toContain(first.id);
  });

  test("[AFTER-3] unknown jobs and those of others are refused in the same words", async () => {
    const server = await startHttpServer();
    const theirs = await server.request("/api/jobs", { ...json({ kernel }), token: server.tokens.admin });
    const { id } = (await theirs.json()) as JobInfo;
    const ask = (after: string) => server.request("/api/jobs", json({ kernel, after: [after] }));
    const unknown = await refusal(await ask("j_aaaaaaaaaaaaaaaa"), 404, "NOT_FOUND");
    expect((await refusal(await ask(id), 404, "NOT_FOUND")).replace(id, "j_aaaaaaaaaaaaaaaa")).toBe(unknown);
    await refusal(await ask("nonsense"), 400, "BAD_REQUEST");
  });
});

describe("jobs that are fed by jobs", () => {
  const feed = (server: HttpServer, inputsFrom: string, options = {}) =>
    server.request("/api/jobs", json({ kernel, inputsFrom, ...options }));

  test("[FEED-1] outputs are inputs, computed without anybody asking", async () => {
    const server = await startHttpServer();
    const first = await createJob(server, { inputs: [1, 2] });
    const second = (await (await feed(server, first.id)).json()) as JobInfo;
    expect(second).toMatchObject({ state: "open", inputsFrom: first.id, counts: { total: 0 } });
    server.client((x) => (x as number) + 1);
    const read = await whole(server, second.id);
    expect(read.at(-1)).toMatchObject({ job: "finished", counts: { done: 2 } });
    const outputs = read.slice(0, 2).map((line) => "output" in line && line.output);
    expect(new Set(outputs)).toEqual(new Set([3, 4]));
  });

  test("[FEED-2] they take no inputs of their customer", async () => {
    const server = await startHttpServer();
    const first = await createJob(server, { inputs: [1] });
    await refusal(await feed(server, first.id, { inputs: [1] }), 400, "BAD_REQUEST");
    await refusal(await feed(server, first.id, { open: true }), 400, "BAD_REQUEST");
    const { id } = (await (await feed(server, first.id)).json()) as JobInfo;
    await refusal(await server.request(`/api/jobs/${id}/tasks`, json([{ input: 1 }])), 409, "WRONG_STATE");
    await refusal(await server.request(`/api/jobs/${id}/close`, post), 409, "WRONG_STATE");
  });

  test("[FEED-6] groups of outputs are inputs, of a job that is fed alone", async () => {
    const server = await startHttpServer();
    const first = await createJob(server, { inputs: [1, 2, 3] });
    const made = (await (await feed(server, first.id, { outputsPerTask: 2 })).json()) as JobInfo;
    expect(made).toMatchObject({ inputsFrom: first.id, outputsPerTask: 2 });
    server.client((x) => (Array.isArray(x) ? x.length : x));
    const read = await whole(server, made.id);
    const outputs = read.flatMap((line) => ("output" in line ? [[line.index, line.output] as const] : []));
    expect(new Map(outputs)).toEqual(
      new Map([
        [0, 2],
        [1, 1],
      ]),
    );
    for (const outputsPerTask of [0, 1, 1.5, 1025])
      await refusal(await feed(server, first.id, { outputsPerTask }), 400, "BAD_REQUEST");
    const alone = await server.request("/api/jobs", json({ kernel, outputsPerTask: 2, inputs: [1] }));
    expect(await refusal(alone, 400, "BAD_REQUEST")).toMatch(/outputsPerTask.*Expected inputsFrom/);
  });

  test("[FEED-6] [READ-1] a customer cannot submit a group with the blob of another", async () => {
    const server = await startHttpServer();
    const { id } = await createJob(server);
    const group = new GroupInput(1);
    group.add({ sha256: sha256Hex(new Uint8Array(9)), size: 9 });
    const input = group.bytes();
    const body = encodeValue({ first: 0, sizes: [input.length], bytes: input });
    const headers = { "content-type": "application/x-manyhands-tasks" };
    const sent = await server.request(`/api/jobs/${id}/tasks`, { method: "POST", headers, body });
    expect(await refusal(sent, 400, "BAD_REQUEST")).toMatch(/an extension of type 5/);
  });

  test("[FEED-5] [READ-1] unknown sources and those of others are refused in the same words", async () => {
    const server = await startHttpServer();
    const theirs = await server.request("/api/jobs", { ...json({ kernel }), token: server.tokens.admin });
    const { id } = (await theirs.json()) as JobInfo;
    const unknown = await refusal(await feed(server, "j_aaaaaaaaaaaaaaaa"), 404, "NOT_FOUND");
    const refused = await refusal(await feed(server, id), 404, "NOT_FOUND");
    expect(refused.replace(id, "j_aaaaaaaaaaaaaaaa")).toBe(unknown);
  });
});

describe("groups", () => {
  test("[GROUP-1] are listed and cancelled together, each customer's own", async () => {
    const server = await startHttpServer();
    const group = "run 7/ä";
    const first = await createJob(server, { group, inputs: [1] });
    const second = await createJob(server, { group, inputs: [2], after: [first.id] });
    const other = await createJob(server, { inputs: [3] });
    const theirs = await server.request("/api/jobs", {
      ...json({ kernel, group, inputs: [4] }),
      token: server.tokens.admin,
    });
    const { id: theirId } = (await theirs.json()) as JobInfo;
    const listed = await server.request(`/api/jobs?group=${encodeURIComponent(group)}`);
    expect(((await listed.json()) as JobInfo[]).map(({ id }) => id)).toEqual([second.id, first.id]);

    const cancel = await server.request(`/api/groups/${encodeURIComponent(group)}/cancel`, post);
    const { cancelled } = (await cancel.json()) as CancelledGroup;
    expect(cancelled.map(({ id, state }) => [id, state])).toEqual([
      [second.id, "cancelled"],
      [first.id, "cancelled"],
    ]);
    expect((await read(server, other.id)).state).toBe("closed");
    expect((await server.platform.job(theirId)).state).toBe("closed");
    const again = await server.request(`/api/groups/${encodeURIComponent(group)}/cancel`, post);
    expect(await again.json()).toEqual({ group, cancelled: [] });
  });
});
