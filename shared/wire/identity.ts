import * as v from "valibot";
import { clientIdSchema } from "../ids.ts";

/**
 * A client's identity: a public id, and the secret that proves the id. The server makes both (SPEC.md [TRUST-1]).
 */
export const identitySchema = v.strictObject({
  client: clientIdSchema,
  secret: v.pipe(v.string(), v.regex(/^[\w-]{32}$/, "expected 32 characters of base64url")),
});
export type Identity = v.InferOutput<typeof identitySchema>;
