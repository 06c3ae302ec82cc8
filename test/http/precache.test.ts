import { request as httpRequest, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import type { PrecacheProgress } from "../../shared/wire/rest/precache.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { json, refusal, sha256 } from "../support/rest.ts";

async function put(
  server: HttpServer,
  text: string,
  token = server.tokens.customer,
): Promise<{ sha256: string; size: number }> {
  const name = { sha256: sha256(text), size: Buffer.byteLength(text) };
  await server.request(`/api/blobs/${name.sha256}`, { method: "PUT", body: text, token });
  return name;
}

interface StandingPrecache {
  readonly lines: PrecacheProgress[];
  readonly ended: Promise<void>;
  /** Ends the request, as a customer that goes away does. */
  leave(): void;
}

async function want(
  server: HttpServer,
  body: object,
  token = server.tokens.customer,
): Promise<StandingPrecache> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    httpRequest(`${server.url}/api/precache`, { method: "POST", headers, agent: false }, resolve)
      .on("error", reject)
      .end(JSON.stringify(body));
  });
  expect(response.statusCode).toBe(200);
  const lines: PrecacheProgress[] = [];
  response.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n").filter(Boolean)) lines.push(JSON.parse(line) as PrecacheProgress);
  });
  response.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => response.once("close", resolve));
  return { lines, ended, leave: () => response.destroy() };
}

describe("[PRECACHE-1] POST /api/precache", () => {
  test("asks connected clients, tells how it goes, ends when they have it, and tells them so", async () => {
    const server = await startHttpServer();
    const [one, two] = [await put(server, "one"), await put(server, "twotwo")];
    const client = server.client();
    const { lines, ended } = await want(server, { refs: [one, { ...two, range: [1, 2] }] });
    await eventually(() => expect(lines[0]).toMatchObject({ done: false, bytes: 9, clients: 1 }));
    expect(client.asked).toMatchObject([{ type: "precache", blobs: [one, two] }]);
    const { id } = client.asked[0]!;
    client.precached({ id, state: "fetching", haveBytes: 3, missedBytes: 0 });
    await eventually(() => expect(lines.at(-1)).toMatchObject({ haveBytes: 3 }));
    client.precached({ id, state: "done", haveBytes: 9, missedBytes: 0 });
    await ended;
    expect(lines.at(-1)).toMatchObject({ done: true, have: 1, haveBytes: 9 });
    expect(client.asked.at(-1)).toEqual({ type: "precacheEnd", id });
  });

  test("stands as long as the request: a customer that goes away ends it", async () => {
    const server = await startHttpServer();
    const client = server.client();
    const precache = await want(server, { refs: [await put(server, "one")], stay: true });
    await eventually(() => expect(client.asked).toHaveLength(1));
    client.precached({ id: client.asked[0]!.id, state: "done", haveBytes: 3, missedBytes: 0 });
    await eventually(() => expect(precache.lines.at(-1)).toMatchObject({ done: true }));
    const late = server.client();
    await eventually(() => expect(late.asked).toMatchObject([{ type: "precache" }]));
    await eventually(() => expect(precache.lines.at(-1)).toMatchObject({ done: false, clients: 2, have: 1 }));
    precache.leave();
    await eventually(() => expect(late.asked.at(-1)).toMatchObject({ type: "precacheEnd" }));
    expect(server.client().asked).toEqual([]);
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test("a customer's token that is revoked ends it", async () => {
    const server = await startHttpServer();
    const { secret, info } = await server.access.createToken({ role: "customer", name: "bob" });
    const refs = [await put(server, "one", secret)];
    const { ended } = await want(server, { refs }, secret);
    await server.access.revoke(info.id);
    await ended;
  });
});

describe("[PRECACHE-3] refusals", () => {
  test("a blob that is not here, or is of another size; nobody is asked", async () => {
    const server = await startHttpServer();
    const client = server.client();
    const refs = [await put(server, "one"), { sha256: "0".repeat(64), size: 5 }];
    const message = await refusal(await server.request("/api/precache", json({ refs })), 404, "NOT_FOUND");
    expect(message).toContain("0".repeat(64));
    const wrong = { refs: [{ sha256: sha256("one"), size: 4 }] };
    await refusal(await server.request("/api/precache", json(wrong)), 400, "BAD_REQUEST");
    expect(client.asked).toEqual([]);
  });

  test("no references, too many, ranges outside, clients and volunteers as customers", async () => {
    const server = await startHttpServer();
    const ref = await put(server, "one");
    const many = Array.from({ length: limits.precacheRefs + 1 }, () => ref);
    for (const refs of [[], many, [{ ...ref, range: [0, 4] }], [{ ...ref, range: [2, 1] }], ["one"]])
      await refusal(await server.request("/api/precache", json({ refs })), 400, "BAD_REQUEST");
    for (const token of [server.tokens.client, server.tokens.volunteer, server.client().ticket])
      await refusal(
        await server.request("/api/precache", { ...json({ refs: [ref] }), token }),
        403,
        "FORBIDDEN",
      );
  });

  test("more precaches at one time than a customer may have", async () => {
    const server = await startHttpServer();
    const refs = [await put(server, "one")];
    const precaches = await Promise.all(Array.from({ length: 8 }, () => want(server, { refs })));
    await refusal(await server.request("/api/precache", json({ refs })), 429, "TOO_MANY");
    precaches[0]!.leave();
    await eventually(async () => {
      const again = await server.request("/api/precache", json({ refs, atLeast: 0 }));
      expect(again.status).toBe(200);
    });
  });
});

test("[PRECACHE-4] blobs that are wanted are not collected", async () => {
  const server = await startHttpServer({ blobKeepMs: 1, blobQuotaBytes: 10, customerQuotaBytes: 20 });
  const name = await put(server, "five5");
  const precache = await want(server, { refs: [name] });
  await eventually(() => expect(precache.lines).toHaveLength(1));
  const other = "sixsix";
  const upload = () => server.request(`/api/blobs/${sha256(other)}`, { method: "PUT", body: other });
  await refusal(await upload(), 507, "STORE_FULL");
  expect((await server.request(`/api/blobs/${name.sha256}`)).status).toBe(200);
  precache.leave();
  // A full quota evicts the data after its precache has ended.
  await eventually(async () => expect((await upload()).status).toBe(201));
});
