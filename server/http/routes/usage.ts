import type { HttpParts, Routes } from "../context.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { reply } from "../reply.ts";

/** What customers keep: each its own, an admin everybody's. */
export function usageRoutes({ platform }: HttpParts): Routes<"GET /api/usage"> {
  return {
    "GET /api/usage": async (call) =>
      reply(call, await platform.usage(visibleTo(principalOf(call))?.customer)),
  };
}
