import type { HttpParts, Routes } from "../context.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { reply } from "../reply.ts";

/** Usage and quotas: a customer sees its own, an admin those of all customers. */
export function usageRoutes({ platform }: HttpParts): Routes<"GET /api/usage"> {
  return {
    "GET /api/usage": async (call) =>
      reply(call, await platform.usage(visibleTo(principalOf(call))?.customer)),
  };
}
