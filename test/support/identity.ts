import { randomBytes } from "node:crypto";
import { makeClientId } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";

/** An identity as a server makes them; no server knows it. */
export function makeIdentity(bytes: (count: number) => Uint8Array = randomBytes): Identity {
  return { client: makeClientId(bytes), secret: Buffer.from(bytes(24)).toString("base64url") };
}
