import * as v from "valibot";
import { limits } from "../../limits.ts";
import { integer, text } from "./fields.ts";

export const roles = ["admin", "customer", "client", "volunteer"] as const;
export type Role = (typeof roles)[number];

export const createTokenSchema = v.strictObject({
  role: v.picklist(roles),
  name: text(limits.nameChars),
  /** Lifetime in seconds; absent: until revoked. */
  expiresInSeconds: v.optional(integer(1, 10 * 365 * 24 * 3600)),
  /** Most clients that are connected with the token at once, at each server; for clients and volunteers. */
  maxClients: v.optional(integer(1, 100_000)),
});
/** The body of `PATCH /api/tokens/{id}`. */
export const changeTokenSchema = v.strictObject({
  /** As in {@link createTokenSchema}; null: any number. Clients that are connected stay. */
  maxClients: v.nullable(integer(1, 100_000)),
});
export const tokenInfoSchema = v.object({
  id: v.string(),
  role: v.picklist(roles),
  name: v.string(),
  createdAt: v.number(),
  expiresAt: v.nullable(v.number()),
  lastUsedAt: v.nullable(v.number()),
  /** Absent: any number. */
  maxClients: v.optional(v.number()),
});
export type TokenInfo = v.InferOutput<typeof tokenInfoSchema>;
/** A new token; its secret is shown only here. */
export const createdTokenSchema = v.object({
  ...tokenInfoSchema.entries,
  token: v.string(),
  inviteUrl: v.optional(v.string()),
});
export type CreatedToken = v.InferOutput<typeof createdTokenSchema>;
