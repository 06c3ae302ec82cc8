import * as v from "valibot";
import { clientIdSchema } from "../ids.ts";

/**
 * A client's identity: its id, which others may read, and the secret that proves it. Both are made by the server (SPEC.md
 * [TRUST-1]).
 */
export const identitySchema = v.strictObject({
  client: clientIdSchema,
  secret: v.pipe(v.string(), v.regex(/^[\w-]{32}$/, "expected 32 characters of base64url")),
});
export type Identity = v.InferOutput<typeof identitySchema>;
