import { recordLimits } from "../../../shared/limits.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import type { RouteName } from "../../access/rules.ts";
import { done, either, ok, type Operation } from "./operation.ts";

export const accessOperations = {
  "GET /api/audit": {
    id: "listActions",
    summary: "What administrators did, newest first",
    description: `The newest ${recordLimits.auditEntries} are kept.`,
    query: [
      {
        name: "limit",
        in: "query",
        schema: { type: "integer", minimum: 1, maximum: recordLimits.auditPage },
        description: `At most so many; the header ${nextCursorHeader} names the next page.`,
      },
      {
        name: "cursor",
        in: "query",
        schema: { type: "string" },
        description: `What ${nextCursorHeader} of the page before said.`,
      },
    ],
    replies: ok("AuditEntry", true),
  },
  "GET /api/tokens": {
    id: "listTokens",
    summary: "Tokens, without their secrets",
    replies: ok("Token", true),
  },
  "POST /api/tokens": {
    id: "createToken",
    summary: "Make a token; its secret is in this reply and nowhere else",
    body: either("CreateToken"),
    replies: { 201: { description: "Made.", content: either("CreatedToken") } },
  },
  "PATCH /api/tokens/{id}": {
    id: "changeToken",
    summary: "Change how many clients may be connected with a token at once",
    description: "Clients that are connected stay; those that come later find the new bound.",
    body: either("ChangeToken"),
    replies: ok("Token"),
  },
  "DELETE /api/tokens/{id}": { id: "revokeToken", summary: "Revoke a token", replies: done },
  "POST /api/sign-in": {
    id: "signIn",
    summary: "Exchange a token for a cookie (browsers)",
    body: either("SignIn"),
    replies: ok("SignedIn"),
  },
  "GET /api/sign-in": {
    id: "getSignIn",
    summary: "Who is asking; nulls for nobody",
    replies: ok("SignedIn"),
  },
  "DELETE /api/sign-in": { id: "signOut", summary: "Forget the cookie", replies: done },
} satisfies Partial<Record<RouteName, Operation>>;
