import * as v from "valibot";
import { PlatformError } from "../../../shared/errors.ts";
import { limits } from "../../../shared/limits.ts";
import { quotasSchema } from "../../../shared/wire/rest/usage.ts";
import { check, parseBody } from "../body.ts";
import type { HttpParts, Routes } from "../context.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { parameter, reply } from "../reply.ts";

const customerSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(limits.nameChars));

/** Usage and quotas: a customer sees its own, an admin those of all customers, and changes them. */
export function usageRoutes({
  platform,
  access,
}: HttpParts): Routes<"GET /api/usage" | "PUT /api/quotas/{customer}"> {
  return {
    "GET /api/usage": async (call) =>
      reply(call, await platform.usage(visibleTo(principalOf(call))?.customer)),
    "PUT /api/quotas/{customer}": async (call) => {
      const customer = check(customerSchema, parameter(call, "customer"), "address");
      const own = await parseBody(call.req, call.res, quotasSchema);
      const isKnown =
        (await access.list()).some(({ name }) => name === customer) ||
        (await platform.usage()).some((usage) => usage.customer === customer);
      if (!isKnown)
        throw new PlatformError(
          "NOT_FOUND",
          `No token is called "${customer}", and no customer of that name keeps anything. Expected the name of a customer's token.`,
        );
      const bounds = Object.entries(own).map(([bound, value]) => `${bound} ${value}`);
      await call.note(bounds.length > 0 ? bounds.join(", ") : "as for everybody");
      await platform.setQuotas(customer, own);
      reply(call, (await platform.usage(customer))[0]!);
    },
  };
}
