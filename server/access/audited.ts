import type { RouteName } from "./rules.ts";

type Changing = Exclude<RouteName, `GET ${string}` | `HEAD ${string}`>;

/**
 * Whether an administrator's use of a route is noted in the audit log (SPEC.md [AUDIT-1]). What administrators do as customers, making jobs
 * and putting data, is not.
 */
export const audited: Record<Changing, boolean> = {
  "POST /api/jobs": false,
  "DELETE /api/jobs/{id}": true,
  "POST /api/jobs/{id}/tasks": false,
  "POST /api/jobs/{id}/close": false,
  "POST /api/jobs/{id}/pause": true,
  "POST /api/jobs/{id}/resume": true,
  "POST /api/jobs/{id}/cancel": true,
  "POST /api/jobs/{id}/requeue-failed": true,
  "POST /api/requeue-failed": true,
  "POST /api/change-jobs": true,
  "POST /api/jobs/{id}/priority": true,
  "PUT /api/jobs/{id}/verify": true,
  "PUT /api/jobs/{id}/attachments/{name}": false,
  "DELETE /api/jobs/{id}/attachments/{name}": true,
  "POST /api/groups/{group}/cancel": true,
  "PUT /api/blobs/{sha256}": false,
  "DELETE /api/blobs/{sha256}": true,
  "PATCH /api/blobs/{sha256}/upload": false,
  "POST /api/precache": false,
  "POST /api/kernels": false,
  "POST /api/kernels/python": false,
  "POST /api/kernels/command": false,
  "DELETE /api/kernels/{sha256}": true,
  "PUT /api/runtime/wheels/{file}": true,
  "DELETE /api/runtime/wheels/{file}": true,
  "POST /api/clients": true,
  "POST /api/clients/{id}/disconnect": true,
  "POST /api/clients/{id}/ban": true,
  "DELETE /api/bans/{subject}": true,
  "PUT /api/quotas/{customer}": true,
  "POST /api/tokens": true,
  "PATCH /api/tokens/{id}": true,
  "DELETE /api/tokens/{id}": true,
  "POST /api/scrub": true,
  "POST /api/backup": true,
  // The token comes with the request, so the route itself notes who signed in.
  "POST /api/sign-in": false,
  "DELETE /api/sign-in": true,
};

export function isAudited(route: RouteName): boolean {
  return route in audited && audited[route as Changing];
}
