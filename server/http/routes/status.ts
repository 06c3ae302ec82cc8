import { PlatformError } from "../../../shared/errors.ts";
import { version } from "../../../shared/version.ts";
import type { HttpParts, Routes } from "../context.ts";
import type { Metrics } from "../metrics.ts";
import { openApiDocument } from "../openapi/document.ts";
import { serverSentEvents, type PushStreams } from "../push-streams.ts";
import { afterOf, query, reply, serversOf } from "../reply.ts";
import { SharedSnapshots } from "../shared-snapshots.ts";

type Names =
  | "GET /api/status"
  | "GET /api/capacity"
  | "GET /api/attempts"
  | "GET /api/history"
  | "GET /api/events"
  | "GET /api/openapi.json"
  | "GET /healthz"
  | "GET /metrics";

function goingDown(): PlatformError {
  return new PlatformError("SHUTTING_DOWN", "The server is going down.");
}

/** Status, health and metrics of the server. */
export function statusRoutes(
  { platform, log, health, stopping }: HttpParts,
  metrics: Metrics,
  streams: PushStreams,
): Routes<Names> {
  const snapshots = new SharedSnapshots(() => platform.snapshot(), log);
  return {
    "GET /api/status": async (call) => reply(call, await platform.status()),
    "GET /api/capacity": (call) => reply(call, platform.capacity(serversOf(call))),
    "GET /api/attempts": (call) => reply(call, platform.attempts(query(call, "life"), afterOf(call) ?? 0)),
    "GET /api/history": async (call) => reply(call, await platform.history()),
    "GET /api/events": (call) => streams.send(call, snapshots, serverSentEvents),
    "GET /api/openapi.json": ({ res }) => {
      res.json(openApiDocument());
    },
    "GET /healthz": async ({ res }) => {
      res.set("Cache-Control", "no-store");
      const wrong = stopping?.aborted ? goingDown() : await health?.check();
      if (!wrong) return void res.json({ status: "ok", version });
      const { code, message, remedy } = wrong;
      res.status(503).set("Retry-After", "5").json({ status: "failing", version, code, message, remedy });
    },
    "GET /metrics": async ({ res }) => {
      const text = await metrics.scrape(platform, health);
      res.set({ "Content-Type": metrics.registry.contentType, "Cache-Control": "no-store" }).end(text);
    },
  };
}
