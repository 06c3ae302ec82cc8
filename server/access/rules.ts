import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import { hints } from "../../shared/hints.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";
import type { Principal } from "./principal.ts";

/** The sender of a request: the holder of a token, or a connected client with the ticket of its connection. */
export type Caller =
  | ({ readonly kind: "token" } & Principal)
  | { readonly kind: "ticket"; readonly client: ClientId; readonly trusted: boolean };

type Rule = "open" | readonly (Role | "ticket")[];

const admin = ["admin"] as const;
const customers = ["admin", "customer"] as const;
const data = ["admin", "customer", "ticket"] as const;

/**
 * Every route of the interface, and the roles that may use it; other routes are not served. Customers act on their
 * own jobs, blobs and kernels only (see {@link maySee}). Clients and volunteers use their tokens on the socket alone; over HTTP they
 * have the ticket of their connection, for blobs only.
 */
export const rules = {
  "POST /api/jobs": customers,
  "GET /api/jobs": customers,
  "GET /api/jobs/{id}": customers,
  "DELETE /api/jobs/{id}": customers,
  "POST /api/jobs/{id}/tasks": customers,
  "POST /api/jobs/{id}/close": customers,
  "POST /api/jobs/{id}/pause": customers,
  "POST /api/jobs/{id}/resume": customers,
  "POST /api/jobs/{id}/cancel": customers,
  "POST /api/jobs/{id}/requeue-failed": customers,
  "POST /api/requeue-failed": customers,
  "POST /api/change-jobs": customers,
  "GET /api/jobs/{id}/failures": customers,
  "GET /api/jobs/{id}/cost": customers,
  "GET /api/jobs/{id}/tasks/{index}": customers,
  "GET /api/jobs/{id}/attachments": customers,
  "PUT /api/jobs/{id}/attachments/{name}": customers,
  "GET /api/jobs/{id}/attachments/{name}": customers,
  "DELETE /api/jobs/{id}/attachments/{name}": customers,
  "POST /api/jobs/{id}/priority": customers,
  "PUT /api/jobs/{id}/verify": customers,
  "GET /api/jobs/{id}/results": customers,
  "GET /api/jobs/{id}/provisional": customers,
  "GET /api/jobs/{id}/progress": customers,
  "GET /api/jobs/{id}/logs": customers,
  "GET /api/jobs/{id}/why": customers,
  "POST /api/groups/{group}/cancel": customers,
  "PUT /api/blobs/{sha256}": data,
  "GET /api/blobs/{sha256}": data,
  "HEAD /api/blobs/{sha256}": data,
  "DELETE /api/blobs/{sha256}": customers,
  "GET /api/blobs/{sha256}/chunks": data,
  "HEAD /api/blobs/{sha256}/upload": data,
  "PATCH /api/blobs/{sha256}/upload": data,
  "POST /api/precache": customers,
  "POST /api/kernels": customers,
  "POST /api/kernels/python": customers,
  "POST /api/kernels/command": customers,
  "GET /api/runtime/wheels": customers,
  "GET /api/runtime/wheels/{file}": customers,
  "PUT /api/runtime/wheels/{file}": admin,
  "DELETE /api/runtime/wheels/{file}": admin,
  "GET /api/kernels": customers,
  "GET /api/kernels/{sha256}": customers,
  "DELETE /api/kernels/{sha256}": customers,
  "GET /api/usage": customers,
  "PUT /api/quotas/{customer}": admin,
  "GET /api/clients": customers,
  "POST /api/clients": admin,
  "POST /api/clients/{id}/disconnect": admin,
  "POST /api/clients/{id}/ban": admin,
  "GET /api/clients/{id}/why": admin,
  "GET /api/bans": admin,
  "DELETE /api/bans/{subject}": admin,
  "GET /api/tokens": admin,
  "POST /api/tokens": admin,
  "PATCH /api/tokens/{id}": admin,
  "DELETE /api/tokens/{id}": admin,
  "GET /api/audit": admin,
  "GET /api/status": customers,
  "GET /api/public-status": "open",
  "GET /status": "open",
  "GET /api/capacity": customers,
  "GET /api/why": customers,
  "POST /api/scrub": admin,
  "POST /api/backup": admin,
  "GET /api/attempts": admin,
  "GET /api/history": admin,
  "GET /api/events": admin,
  "POST /api/sign-in": "open",
  "GET /api/sign-in": "open",
  "DELETE /api/sign-in": "open",
  "GET /api/openapi.json": "open",
  "GET /manyhands.py": "open",
  "GET /manyhands_eman2.py": "open",
  "GET /wasi.js": "open",
  "GET /healthz": "open",
  "GET /metrics": admin,
} as const satisfies Record<string, Rule>;

/** A route of the interface, as `METHOD /path/{parameter}`. */
export type RouteName = keyof typeof rules;

export const routeNames = Object.keys(rules) as RouteName[];

/**
 * Refuses a caller whose role may not use the route.
 * @throws PlatformError UNAUTHENTICATED without a valid token, FORBIDDEN when the role is not allowed
 */
export function authorise(route: RouteName, caller: Caller | undefined): void {
  const rule: Rule = rules[route];
  if (rule === "open") return;
  const expected = `${route} is for ${rule.map(nounOf).join(" and ")}`;
  if (!caller)
    throw new PlatformError("UNAUTHENTICATED", `No valid token came with this request; ${expected}.`);
  const role = caller.kind === "ticket" ? "ticket" : caller.role;
  if (!rule.includes(role))
    throw new PlatformError("FORBIDDEN", `This token is of ${nounOf(role)}; ${expected}.`);
}

/** Whether a caller may see and change the jobs of a customer. */
export function maySee(caller: Principal, customer: string): boolean {
  return caller.role === "admin" || caller.name === customer;
}

/** Highest priority that customers may give their jobs; higher priorities are the administrator's, for urgent jobs. */
export const customerPriority = 100;

/** @throws PlatformError FORBIDDEN when the caller may not give a job this priority */
export function authorisePriority({ role }: Principal, priority: number): void {
  if (role === "admin" || priority <= customerPriority) return;
  throw new PlatformError(
    "FORBIDDEN",
    `A customer's jobs have priorities up to ${customerPriority}, and this request asks for ${priority}; expected a lower one.`,
    undefined,
    hints.priority,
  );
}

function nounOf(role: Role | "ticket"): string {
  return role === "ticket" ? "connected clients" : `${role}s`;
}
