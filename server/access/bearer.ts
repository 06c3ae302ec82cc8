import type { IncomingMessage } from "node:http";

/** The secret in `Authorization: Bearer …`. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  const [scheme, secret, ...more] = (headers.authorization ?? "").trim().split(/ +/);
  return scheme?.toLowerCase() === "bearer" && secret && more.length === 0 ? secret : undefined;
}
