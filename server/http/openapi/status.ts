import type { RouteName } from "../../access/rules.ts";
import { either, ok, serversQuery, type Operation } from "./operation.ts";

export const statusOperations = {
  "GET /api/public-status": {
    id: "getPublicStatus",
    summary: "The progress of the project, for anybody",
    description:
      "Where the server has --public-status (NOT_FOUND else). Names of jobs with `public: true` alone.",
    replies: ok("PublicStatus"),
  },
  "GET /status": {
    id: "getPublicPage",
    summary: "The same as a page",
    replies: { 200: { description: "HTML.", content: { "text/html": "text" } } },
  },
  "PUT /api/quotas/{customer}": {
    id: "setQuotas",
    summary: "Give a customer quotas of its own",
    description:
      "They hold from the reply on, at all servers, in place of those that the server has for everybody; what is absent is as for everybody, and `{}` takes all of them back. Nothing that is kept is deleted: a customer that keeps more may add nothing, and of a full one (`bytes`) no task is handed out. NOT_FOUND when no token has that name and nothing is kept under it.",
    body: either("Quotas"),
    replies: ok("Usage"),
  },
  "GET /api/usage": {
    id: "getUsage",
    summary: "What the caller keeps, and may keep; for an admin every customer",
    replies: ok("Usage", true),
  },
  "GET /api/status": { id: "getStatus", summary: "The server at a glance", replies: ok("Status") },
  "GET /api/capacity": {
    id: "getCapacity",
    summary: "Clients by kind, slots, busy slots, measured and expected tasks a second",
    query: serversQuery,
    replies: ok("Capacity"),
  },
  "GET /api/why": {
    id: "why",
    summary: "Why no task is computed",
    description: "At most the 200 newest open jobs are looked at.",
    query: serversQuery,
    replies: ok("Why"),
  },
  "GET /api/history": {
    id: "getHistory",
    summary: "Figures of each minute of the last 24 hours",
    replies: ok("History"),
  },
  "GET /api/attempts": {
    id: "listAttempts",
    summary: "Attempts that ended lately at this server, and those that run",
    query: [
      {
        name: "life",
        in: "query",
        schema: { type: "string" },
        description:
          "`life` of the reply before; without it, or after a restart, from the oldest attempt on.",
      },
      {
        name: "after",
        in: "query",
        schema: { type: "integer", minimum: 0 },
        description: "`next` of the reply before.",
      },
    ],
    replies: ok("Attempts"),
  },
  "GET /api/events": {
    id: "watch",
    summary: "Snapshots about once a second, as server-sent events",
    description: "The data of each event is a `Snapshot`; an event `alive` says that nothing has changed.",
    replies: { 200: { description: "Events.", content: { "text/event-stream": "text" } } },
  },
  "GET /api/openapi.json": {
    id: "getOpenApi",
    summary: "This document",
    replies: { 200: { description: "OpenAPI 3.1", content: { "application/json": "bytes" } } },
  },
  "GET /manyhands.py": {
    id: "getPythonModule",
    summary: "The Python module of this server's version",
    description: "One file that needs the standard library of Python 3.9 or later only (docs/python.md).",
    replies: {
      200: { description: "The module. ETag is its SHA-256.", content: { "text/x-python": "text" } },
      304: { description: "If-None-Match names it: nothing is sent." },
    },
  },
  "GET /manyhands_eman2.py": {
    id: "getEman2Module",
    summary: "The Python module for programs of EMAN2, of this server's version",
    description: "It stands beside manyhands.py (docs/eman2.md).",
    replies: {
      200: { description: "The module. ETag is its SHA-256.", content: { "text/x-python": "text" } },
      304: { description: "If-None-Match names it: nothing is sent." },
    },
  },
  "GET /healthz": {
    id: "getHealth",
    summary: "Whether the server can keep what it is given",
    replies: {
      200: { description: "It can.", content: { "application/json": { of: "Health" } } },
      503: {
        description: "It cannot, or it is going down, and this is why.",
        content: { "application/json": { of: "Unhealthy" } },
      },
    },
  },
  "GET /metrics": {
    id: "getMetrics",
    summary: "Prometheus metrics",
    replies: { 200: { description: "Text format.", content: { "text/plain": "text" } } },
  },
} satisfies Partial<Record<RouteName, Operation>>;
