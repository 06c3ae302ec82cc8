import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decode, decodeMulti, encode } from "@msgpack/msgpack";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routeNames, type RouteName } from "../../server/access/rules.ts";
import { openApiDocument } from "../../server/http/openapi/document.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { contentTypes } from "../../shared/wire/rest/content-types.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { CreatedToken } from "../../shared/wire/rest/tokens.ts";
import { TaskPacker } from "../../shared/wire/task-pack.ts";
import { openHttpServer, type HttpServer } from "../support/http-server.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { createJob, frames, json, kernel, lines, msgpack, ndjson, packed, sha256 } from "../support/rest.ts";
import { makeWheel } from "../support/wheels.ts";

interface MediaType {
  schema: object;
}
interface Operation {
  operationId: string;
  parameters: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { description: string; content?: Record<string, MediaType> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

const document = openApiDocument() as unknown as Document;
const operationOf = (route: string): Operation => {
  const [method = "", path = ""] = route.split(" ");
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`${route} is not in the document`);
  return operation;
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: "manyhands", components: document.components });

function validator(schema: object): ValidateFunction {
  // References of the document are relative to it.
  const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"manyhands#/')) as object;
  return ajv.compile(absolute);
}

/** Asserts that a real response matches the document, and returns its parsed body. */
async function documented(route: string, response: Response): Promise<unknown> {
  const { responses } = operationOf(route);
  const described = responses[response.status] ?? (response.ok ? undefined : responses["default"]);
  if (!described) throw new Error(`${route} answered ${response.status}, which is not in the document`);
  const type = (response.headers.get("content-type") ?? "").split(";")[0]!;
  if (!described.content) {
    if (!route.startsWith("HEAD")) expect(await response.text()).toBe("");
    return undefined;
  }
  const media = described.content[type];
  if (!media) throw new Error(`${route} answered with ${type}, which is not in the document`);
  const validate = validator(media.schema);
  const body = await parsed(response, type);
  const items =
    type.endsWith("ndjson") ||
    type.endsWith("manyhands-results") ||
    (type.endsWith("msgpack") && Array.isArray(body))
      ? (body as unknown[])
      : [body];
  for (const item of items)
    if (!validate(item))
      throw new Error(`${route}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(item)}`);
  return body;
}

async function parsed(response: Response, type: string): Promise<unknown> {
  if (type === "application/json") return response.json();
  if (type === "application/x-ndjson") return lines(response);
  if (type === "application/x-manyhands-results") return frames(await response.arrayBuffer());
  if (type === "application/x-msgpack") return [...decodeMulti(await response.arrayBuffer())];
  return response.text();
}

describe("the document", () => {
  test("describes every route and nothing else", () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual([...routeNames].sort());
    const ids = routeNames.map((route) => operationOf(route).operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("is OpenAPI 3.1 whose references and schemas hold", () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    for (const [, name] of refs) expect(document.components.schemas).toHaveProperty(name!);
    for (const schema of Object.values(document.components.schemas)) validator(schema);
    for (const route of routeNames) {
      const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = operationOf(route).parameters.filter((parameter) => parameter.in === "path");
      expect(declared.map(({ name }) => name)).toEqual(inPath);
    }
  });

  test("describes valid requests: examples fit", () => {
    const fits = (route: RouteName, type: string, body: unknown): boolean =>
      validator(operationOf(route).requestBody!.content[type]!.schema)(body);
    expect(
      fits("POST /api/jobs", "application/json", { kernel: "0".repeat(64), inputs: [1], name: "x" }),
    ).toBe(true);
    expect(fits("POST /api/jobs", "application/json", { kernel: "short" })).toBe(false);
    expect(fits("POST /api/jobs", "application/json", { kernel, unknown: 1 })).toBe(false);
    expect(
      fits("POST /api/jobs/{id}/tasks", "application/json", [{ input: 1 }, { index: 4, input: null }]),
    ).toBe(true);
    expect(fits("POST /api/tokens", "application/json", { role: "king", name: "x" })).toBe(false);
  });
});

describe("real replies fit the document", () => {
  let server: HttpServer;
  let close: () => Promise<void>;
  const seen = new Set<string>();
  beforeAll(async () => {
    ({ server, close } = await openHttpServer({ publicStatus: true }));
  });
  afterAll(() => close());

  async function ask(route: RouteName, path: string, init: RequestInit = {}): Promise<unknown> {
    const [method = ""] = route.split(" ");
    const response = await server.request(path, { method, ...init, token: server.tokens.admin });
    expect(response.ok ? "ok" : await response.text()).toBe("ok");
    seen.add(route);
    return documented(route, response);
  }

  test("jobs, tasks, results", async () => {
    const posted = (await ask("POST /api/kernels", "/api/kernels", json(kernel))) as { sha256: string };
    const program = { modules: { "model.py": "def f(x): return x\n" }, module: "model", function: "f" };
    await ask("POST /api/kernels/python", "/api/kernels/python", json(program));
    await ask(
      "POST /api/kernels/command",
      "/api/kernels/command",
      json({ command: "sort", args: ["{input}"] }),
    );
    const file = "tiny-1-py3-none-any.whl";
    const path = await makeWheel(await temporaryDirectory(), file, { "tiny.py": "" });
    const body = new Uint8Array(await readFile(path));
    const bytes = { body, headers: { "Content-Type": "application/octet-stream" } };
    await ask("PUT /api/runtime/wheels/{file}", `/api/runtime/wheels/${file}`, bytes);
    await ask("GET /api/runtime/wheels", "/api/runtime/wheels");
    await ask("GET /api/runtime/wheels/{file}", `/api/runtime/wheels/${file}`);
    await ask("DELETE /api/runtime/wheels/{file}", `/api/runtime/wheels/${file}`);
    await ask("GET /api/kernels", "/api/kernels");
    await ask("GET /api/kernels/{sha256}", `/api/kernels/${posted.sha256}`);
    const job = (await ask(
      "POST /api/jobs",
      "/api/jobs",
      json({ kernel: posted.sha256, maxAttempts: 1 }),
    )) as JobInfo;
    const at = `/api/jobs/${job.id}`;
    await ask("POST /api/jobs/{id}/tasks", `${at}/tasks`, ndjson('{"input":1}\n{"input":"fail"}'));
    await ask("POST /api/jobs/{id}/tasks", `${at}/tasks`, json([{ input: 2 }]));
    await ask(
      "POST /api/jobs/{id}/tasks",
      `${at}/tasks`,
      msgpack(encode({ index: 9, input: encodeValue(3) })),
    );
    const packer = new TaskPacker(0);
    packer.add(encodeValue(1), []);
    const pack = packer.encode();
    const described = operationOf("POST /api/jobs/{id}/tasks").requestBody?.content[contentTypes.taskPack];
    expect(validator(described!.schema)(decode(pack))).toBe(true);
    await ask("POST /api/jobs/{id}/tasks", `${at}/tasks`, packed(pack));
    await ask("POST /api/jobs/{id}/pause", `${at}/pause`);
    await ask("POST /api/jobs/{id}/resume", `${at}/resume`);
    await ask("POST /api/jobs/{id}/priority", `${at}/priority`, json({ priority: 3 }));
    await ask("PUT /api/jobs/{id}/verify", `${at}/verify`, {
      ...json({ compare: { abs: 1 } }),
      method: "PUT",
    });
    await ask("GET /api/jobs/{id}/provisional", `${at}/provisional`);
    const followed = ask("GET /api/jobs/{id}/provisional", `${at}/provisional?follow=1`);
    await ask("POST /api/jobs/{id}/close", `${at}/close`);
    const client = server.client((x) => {
      if (x === "fail") throw new Error("as asked");
      return { x };
    });
    for (const accept of ["application/x-ndjson", "application/x-msgpack"]) {
      const results = await ask("GET /api/jobs/{id}/results", `${at}/results?follow=1`, {
        headers: { accept },
      });
      expect((results as { state: string }[]).map(({ state }) => state).sort()).toEqual([
        "done",
        "done",
        "done",
        "end",
        "failed",
      ]);
    }
    const [results, end] = (await ask("GET /api/jobs/{id}/results", `${at}/results`, {
      headers: { accept: "application/x-manyhands-results" },
    })) as [{ seqs: number[]; extras: unknown[] }, { state: string }];
    expect([results.seqs, results.extras.length, end.state]).toEqual([[1, 2, 3, 4], 1, "end"]);
    await ask("GET /api/jobs/{id}/results", `${at}/results`, { headers: { accept: "application/json" } });
    expect(await followed).toMatchObject([{ state: "snapshot" }, { state: "current" }, { state: "end" }]);
    await ask("GET /api/jobs/{id}", at);
    await ask("GET /api/jobs/{id}/progress", `${at}/progress`);
    await ask("GET /api/jobs/{id}/why", `${at}/why`);
    await ask("GET /api/jobs", "/api/jobs");
    await ask("POST /api/jobs", "/api/jobs", json({ kernel, group: "a group", after: [job.id] }));
    await ask("GET /api/jobs", "/api/jobs?group=a%20group");
    await ask("POST /api/groups/{group}/cancel", "/api/groups/a%20group/cancel");
    client.log(job.id, 0, "a line");
    await ask("GET /api/jobs/{id}/logs", `${at}/logs`);
    await ask("POST /api/jobs/{id}/requeue-failed", `${at}/requeue-failed`);
    await ask("POST /api/requeue-failed", "/api/requeue-failed", json({ group: "none" }));
    await ask("POST /api/change-jobs", "/api/change-jobs", json({ verb: "pause", jobs: [job.id] }));
    await ask("GET /api/jobs/{id}/failures", `${at}/failures`);
    await ask("GET /api/jobs/{id}/cost", `${at}/cost`);
    await ask("GET /api/jobs/{id}/tasks/{index}", `${at}/tasks/0`);
    const text = { body: "text", headers: { "content-type": "text/plain" } };
    await ask("PUT /api/jobs/{id}/attachments/{name}", `${at}/attachments/a.txt`, text);
    await ask("GET /api/jobs/{id}/attachments", `${at}/attachments`);
    await ask("GET /api/jobs/{id}/attachments/{name}", `${at}/attachments/a.txt`);
    await ask("DELETE /api/jobs/{id}/attachments/{name}", `${at}/attachments/a.txt`);
    await ask("GET /api/audit", "/api/audit");
    await ask("GET /api/public-status", "/api/public-status");
    await ask("GET /status", "/status");
    await ask("POST /api/jobs/{id}/cancel", `${at}/cancel`);
    await ask("DELETE /api/jobs/{id}", at);
  });

  test("blobs", async () => {
    const path = `/api/blobs/${sha256("bytes")}`;
    await ask("PUT /api/blobs/{sha256}", path, { body: "bytes" });
    await ask("PUT /api/blobs/{sha256}", path, { body: "bytes" });
    await ask("GET /api/blobs/{sha256}", path);
    await ask("GET /api/blobs/{sha256}", path, { headers: { range: "bytes=1-2" } });
    await ask("HEAD /api/blobs/{sha256}", path);
    await ask("GET /api/blobs/{sha256}/chunks", `${path}/chunks`);
    const stretched = `/api/blobs/${sha256("stretched")}`;
    const begun = { "upload-complete": "?0", "upload-length": "9" };
    await ask("PUT /api/blobs/{sha256}", stretched, { body: "stret", headers: begun });
    await ask("HEAD /api/blobs/{sha256}/upload", `${stretched}/upload`);
    await ask("PATCH /api/blobs/{sha256}/upload", `${stretched}/upload`, {
      body: "ched",
      headers: { "upload-complete": "?1", "upload-offset": "5" },
    });
    const refs = [{ sha256: sha256("bytes"), size: 5, range: [1, 2] }];
    await ask(
      "POST /api/precache",
      "/api/precache",
      json({ refs, requires: { kind: "browser" }, atLeast: 0 }),
    );
  });

  test("clients, tokens, sign-in, status", async () => {
    const client = server.client();
    await createJob(server, { inputs: [1] });
    await ask("GET /api/clients", "/api/clients");
    await ask("GET /api/clients", "/api/clients?sort=done&limit=5&state=connected");
    await ask("PUT /api/quotas/{customer}", "/api/quotas/ada", { ...json({ jobs: 7 }), method: "PUT" });
    await ask("PUT /api/quotas/{customer}", "/api/quotas/ada", { ...json({}), method: "PUT" });
    await ask("POST /api/clients", "/api/clients", json({ verb: "drain", clients: [client.id, "c_nobody"] }));
    await ask("GET /api/clients/{id}/why", `/api/clients/${client.id}/why`);
    await ask("GET /api/why", "/api/why");
    await ask("GET /api/history", "/api/history");
    await ask("GET /api/attempts", "/api/attempts?after=0");
    await ask("POST /api/clients/{id}/disconnect", `/api/clients/${client.id}/disconnect`);
    await ask("POST /api/clients/{id}/ban", `/api/clients/${client.id}/ban`, json({ reason: "noise" }));
    await ask("GET /api/bans", "/api/bans");
    await ask("DELETE /api/bans/{subject}", `/api/bans/${client.id}`);
    const invitation = json({ role: "volunteer", name: "open day", expiresInSeconds: 60 });
    const { id, token } = (await ask("POST /api/tokens", "/api/tokens", invitation)) as CreatedToken;
    expect(token).toMatch(/^mh_v_/);
    await ask("GET /api/tokens", "/api/tokens");
    await ask("PATCH /api/tokens/{id}", `/api/tokens/${id}`, {
      ...json({ maxClients: 3 }),
      method: "PATCH",
    });
    await ask("DELETE /api/tokens/{id}", `/api/tokens/${id}`);
    await ask("GET /api/status", "/api/status");
    await ask("GET /api/capacity", "/api/capacity");
    await ask("POST /api/sign-in", "/api/sign-in", json({ token: server.tokens.admin }));
    await ask("GET /api/sign-in", "/api/sign-in");
    await ask("DELETE /api/sign-in", "/api/sign-in");
    await ask("GET /healthz", "/healthz");
    await ask("GET /metrics", "/metrics");
    await ask("GET /manyhands.py", "/manyhands.py");
    await ask("GET /manyhands_eman2.py", "/manyhands_eman2.py");
    await ask("GET /wasi.js", "/wasi.js");
    expect(await ask("GET /api/openapi.json", "/api/openapi.json")).toEqual(
      JSON.parse(JSON.stringify(document)),
    );
  });

  test("events: each is a snapshot", async () => {
    const gone = new AbortController();
    const response = await server.request("/api/events", { token: server.tokens.admin, signal: gone.signal });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(operationOf("GET /api/events").responses["200"]!.content).toHaveProperty("text/event-stream");
    const validate = validator({ $ref: "#/components/schemas/Snapshot" });
    let text = "";
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString();
      if (text.split("\n\n").length > 2) break;
    }
    gone.abort();
    for (const event of text.split("\n\n").slice(0, 2)) {
      const snapshot: unknown = JSON.parse(event.replace(/^data: /, ""));
      expect(validate(snapshot) ? "valid" : ajv.errorsText(validate.errors)).toBe("valid");
    }
    seen.add("GET /api/events");
  });

  test("verification and backup", async () => {
    const directory = join(await temporaryDirectory(), "backup");
    for (const [route, body] of [
      ["POST /api/scrub", {}],
      ["POST /api/backup", { directory }],
    ] as const) {
      const init = { method: "POST", ...json(body), token: server.tokens.admin };
      const lines = await documented(route, await server.request(route.slice("POST ".length), init));
      expect((lines as object[]).at(-1)).toMatchObject({ done: true });
      seen.add(route);
    }
  });

  test("usage of customers, and deleting stored data", async () => {
    await ask("GET /api/usage", "/api/usage");
    const unused = (await ask("POST /api/kernels", "/api/kernels", json({ source: "export default 1" }))) as {
      sha256: string;
    };
    await ask("DELETE /api/kernels/{sha256}", `/api/kernels/${unused.sha256}`);
    await ask("PUT /api/blobs/{sha256}", `/api/blobs/${sha256("unused")}`, { body: "unused" });
    await ask("DELETE /api/blobs/{sha256}", `/api/blobs/${sha256("unused")}`);
  });

  test("refusals too", async () => {
    await documented("GET /api/jobs/{id}", await server.request("/api/jobs/nonsense"));
    await documented("POST /api/jobs", await server.request("/api/jobs", json({})));
    await documented("GET /api/tokens", await server.request("/api/tokens"));
  });

  test("no route was left out", () => {
    expect(routeNames.filter((route) => !seen.has(route))).toEqual([]);
  });
});
