import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routeNames, type RouteName } from "../../server/access/rules.ts";
import { openHttpServer } from "../support/http-server.ts";

// The rules are written a second time on purpose, so that a change of them is deliberate.
const open: RouteName[] = [
  "GET /healthz",
  "GET /manyhands.py",
  "GET /manyhands_eman2.py",
  "GET /wasi.js",
  "GET /api/openapi.json",
  "GET /api/sign-in",
  "POST /api/sign-in",
  "DELETE /api/sign-in",
  "GET /api/public-status",
  "GET /status",
];
const adminOnly: RouteName[] = [
  "GET /api/tokens",
  "POST /api/tokens",
  "PATCH /api/tokens/{id}",
  "DELETE /api/tokens/{id}",
  "PUT /api/quotas/{customer}",
  "POST /api/clients",
  "POST /api/clients/{id}/disconnect",
  "POST /api/clients/{id}/ban",
  "GET /api/clients/{id}/why",
  "GET /api/bans",
  "DELETE /api/bans/{subject}",
  "GET /api/attempts",
  "GET /api/history",
  "GET /api/events",
  "PUT /api/runtime/wheels/{file}",
  "DELETE /api/runtime/wheels/{file}",
  "POST /api/scrub",
  "POST /api/backup",
  "GET /api/audit",
  "GET /metrics",
];
const data: RouteName[] = [
  "GET /api/blobs/{sha256}",
  "GET /api/blobs/{sha256}/chunks",
  "HEAD /api/blobs/{sha256}",
  "PUT /api/blobs/{sha256}",
  "HEAD /api/blobs/{sha256}/upload",
  "PATCH /api/blobs/{sha256}/upload",
];

const callers = ["nobody", "wrong", "admin", "customer", "client", "volunteer", "ticket"] as const;

function mayUse(route: RouteName, caller: (typeof callers)[number]): boolean {
  if (open.includes(route)) return true;
  if (caller === "admin") return true;
  if (caller === "ticket") return data.includes(route);
  return caller === "customer" && !adminOnly.includes(route);
}

const pathOf = (route: RouteName): string =>
  route
    .slice(route.indexOf(" ") + 1)
    .replace("{sha256}", "0".repeat(64))
    .replace(/^(\/api\/jobs\/)\{id\}/, "$1j_aaaaaaaaaaaaaaaa")
    .replace(/\{\w+\}/, "someone");

describe("[ACCESS-3] every route, every caller", () => {
  const matrix = routeNames.flatMap((route) => callers.map((caller) => ({ route, caller })));

  // One server serves the whole table, because requests change only the counts of refusals.
  let ask: (route: RouteName, secret: string | null) => Promise<Response>;
  let secrets: Record<(typeof callers)[number], string | null>;
  let afterClose: () => Promise<void>;
  afterAll(() => afterClose());
  beforeAll(async () => {
    const { server, close } = await openHttpServer();
    afterClose = close;
    ask = (route, token) =>
      server.request(pathOf(route), {
        method: route.slice(0, route.indexOf(" ")),
        token,
        signal: AbortSignal.timeout(10_000),
        ...(/^(POST|PUT)/.test(route) && { body: "{", headers: { "content-type": "application/json" } }),
      });
    secrets = {
      ...server.tokens,
      nobody: null,
      wrong: `mh_a_${"a".repeat(32)}`,
      ticket: server.client().ticket,
    };
  });

  test.each(matrix)("$route by $caller", async ({ route, caller }) => {
    const response = await ask(route, secrets[caller]);
    const text = response.headers.get("content-type")?.startsWith("text/event-stream")
      ? ""
      : await response.text();
    if (!text) await response.body?.cancel().catch(() => undefined);
    // These are source texts, in which `at` is a name.
    if (!["GET /manyhands.py", "GET /manyhands_eman2.py", "GET /wasi.js"].includes(route))
      expect(text).not.toMatch(/\.ts:\d|node:internal|    at /);
    expect(response.status).not.toBe(500);
    if (mayUse(route, caller)) {
      // An open route may still refuse a token, such as a sign-in with an invalid one.
      expect([401, 403]).not.toContain(response.status);
      return;
    }
    expect(response.status).toBe(caller === "nobody" || caller === "wrong" ? 401 : 403);
    if (!route.startsWith("HEAD"))
      expect(JSON.parse(text)).toEqual({
        code: response.status === 401 ? "UNAUTHENTICATED" : "FORBIDDEN",
        message: expect.stringContaining(" is for "),
        remedy: expect.any(String),
        retryable: false,
      });
  });
});
