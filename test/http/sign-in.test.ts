import { describe, expect, test } from "vitest";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { json, refusal } from "../support/rest.ts";

async function signIn(server: HttpServer, token: string): Promise<{ cookie: string; header: string }> {
  const response = await server.request("/api/sign-in", { ...json({ token }), token: null });
  expect(response.status).toBe(200);
  const header = response.headers.get("set-cookie") ?? "";
  return { header, cookie: header.split(";")[0]! };
}

/** A request as the admin page sends it. */
function fromPage(
  server: HttpServer,
  cookie: string,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const headers = { cookie, origin: server.url, ...(init.headers as Record<string, string>) };
  return server.request(path, { ...init, token: null, headers });
}

describe("a sign-in of the admin page", () => {
  test("is a cookie that scripts and other sites do not get", async () => {
    const server = await startHttpServer();
    const { cookie, header } = await signIn(server, server.tokens.admin);
    expect(header).toMatch(/; HttpOnly/);
    expect(header).toMatch(/; SameSite=Strict/);
    expect(header).not.toMatch(/; Secure/);
    expect(header).not.toContain(server.tokens.admin);
    expect(await (await fromPage(server, cookie, "/api/sign-in")).json()).toEqual({
      role: "admin",
      name: "admin",
    });
    expect((await fromPage(server, cookie, "/api/tokens")).status).toBe(200);
  });

  test("is marked Secure behind TLS", async () => {
    const server = await startHttpServer({ trustProxy: true });
    const response = await server.request("/api/sign-in", {
      ...json({ token: server.tokens.admin }),
      headers: { "content-type": "application/json", "x-forwarded-proto": "https" },
      token: null,
    });
    expect(response.headers.get("set-cookie")).toMatch(/; Secure/);
  });

  test("changes things only from the server's own pages", async () => {
    const server = await startHttpServer();
    const { cookie } = await signIn(server, server.tokens.admin);
    const make = json({ role: "customer", name: "x" });
    const type = { "content-type": "application/json" };
    expect((await fromPage(server, cookie, "/api/tokens", { ...make, headers: type })).status).toBe(201);
    const bare = await server.request("/api/tokens", { ...make, token: null, headers: { ...type, cookie } });
    await refusal(bare, 403, "ORIGIN_REFUSED");
    const typed = await server.request("/api/tokens", {
      ...make,
      token: null,
      headers: { ...type, cookie, "sec-fetch-site": "none" },
    });
    await refusal(typed, 403, "ORIGIN_REFUSED");
    expect((await server.request("/api/tokens", { token: null, headers: { cookie } })).status).toBe(200);
  });

  test("ends with sign-out, and with its token", async () => {
    const server = await startHttpServer();
    const first = await signIn(server, server.tokens.admin);
    expect((await fromPage(server, first.cookie, "/api/sign-in", { method: "DELETE" })).status).toBe(204);
    expect(await (await fromPage(server, first.cookie, "/api/sign-in")).json()).toEqual({
      role: null,
      name: null,
    });
    const second = await signIn(server, server.tokens.admin);
    const token = (await server.access.list()).find(({ role }) => role === "admin")!;
    expect(
      (await fromPage(server, second.cookie, `/api/tokens/${token.id}`, { method: "DELETE" })).status,
    ).toBe(204);
    await refusal(await fromPage(server, second.cookie, "/api/tokens"), 401, "UNAUTHENTICATED");
  });

  test("is for admins and customers, with a good token", async () => {
    const server = await startHttpServer();
    const attempt = (token: string) => server.request("/api/sign-in", { ...json({ token }), token: null });
    await refusal(await attempt("mh_a_wrong"), 401, "UNAUTHENTICATED");
    await refusal(await attempt(server.tokens.volunteer), 403, "FORBIDDEN");
    await refusal(await attempt(server.tokens.client), 403, "FORBIDDEN");
    expect((await attempt(` ${server.tokens.customer}\n`)).status).toBe(200);
  });
});

describe("tokens over HTTP", () => {
  test("an invitation is a link; without volunteers there is none", async () => {
    const server = await startHttpServer();
    const body = json({ role: "volunteer", name: "open day" });
    const made = await server.request("/api/tokens", { ...body, token: server.tokens.admin });
    const { token, inviteUrl } = (await made.json()) as { token: string; inviteUrl: string };
    expect(inviteUrl).toBe(`${server.url}/?invite=${token}`);
    expect(made.headers.get("cache-control")).toBe("no-store");
    const closed = await startHttpServer({ volunteers: "off" });
    await refusal(
      await closed.request("/api/tokens", { ...body, token: closed.tokens.admin }),
      403,
      "VOLUNTEERS_OFF",
    );
  });

  test("secrets are shown once", async () => {
    const server = await startHttpServer();
    const list = await server.request("/api/tokens", { token: server.tokens.admin });
    const text = await list.text();
    for (const secret of Object.values(server.tokens)) expect(text).not.toContain(secret.slice(5));
    await refusal(
      await server.request("/api/tokens/t_none", { method: "DELETE", token: server.tokens.admin }),
      404,
      "NOT_FOUND",
    );
  });
});
