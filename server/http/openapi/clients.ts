import { limits } from "../../../shared/limits.ts";
import { clientCountHeader, clientSorts, clientStates } from "../../../shared/wire/rest/clients.ts";
import { nextCursorHeader } from "../../../shared/wire/rest/pages.ts";
import type { RouteName } from "../../access/rules.ts";
import { done, either, ok, serversQuery, type Operation } from "./operation.ts";

export const clientOperations = {
  "GET /api/clients": {
    id: "listClients",
    summary: "Clients that are connected, then those that were, newest first",
    description: "`address` is empty for customers.",
    query: [
      ...serversQuery,
      {
        name: "search",
        in: "query",
        schema: { type: "string" },
        description: "Words in name, address, version or id.",
      },
      { name: "state", in: "query", schema: { type: "string", enum: [...clientStates] } },
      { name: "kind", in: "query", schema: { type: "string", enum: ["browser", "node"] } },
      { name: "sort", in: "query", schema: { type: "string", enum: [...clientSorts] } },
      { name: "order", in: "query", schema: { type: "string", enum: ["asc", "desc"] } },
      {
        name: "limit",
        in: "query",
        schema: { type: "integer", minimum: 1, maximum: limits.jobsPerPage },
        description: `At most so many; ${nextCursorHeader} names the next page, ${clientCountHeader} says how many match.`,
      },
      { name: "cursor", in: "query", schema: { type: "string" } },
    ],
    replies: ok("Client", true),
  },
  "POST /api/clients": {
    id: "actOnClients",
    summary: "Drain several clients, take that back, ask them to reload, disconnect or ban them",
    description:
      "`reload`: a page finishes what it computes, delivers it, and loads itself anew; a headless client does so and ends with status 75, for whoever started it to start it again. Clients that are gone, or of a version before 0.3.0, are left and named as `unable`.",
    body: either("ClientAction"),
    replies: ok("ClientsActed"),
  },
  "POST /api/clients/{id}/disconnect": {
    id: "disconnectClient",
    summary: "Close a client's connection; it may come back",
    replies: done,
  },
  "POST /api/clients/{id}/ban": {
    id: "banClient",
    summary: "Disconnect a client and refuse it from now on",
    body: either("Ban"),
    bodyRequired: false,
    replies: done,
  },
  "GET /api/clients/{id}/why": {
    id: "whyClient",
    summary: "Why a client has no task",
    query: serversQuery,
    replies: ok("Why"),
  },
  "GET /api/bans": { id: "listBans", summary: "Bans, oldest first", replies: ok("BanInfo", true) },
  "DELETE /api/bans/{subject}": { id: "liftBan", summary: "Lift a ban", replies: done },
} satisfies Partial<Record<RouteName, Operation>>;
