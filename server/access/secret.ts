import { createHash, randomBytes } from "node:crypto";
import type { Sha256 } from "../../shared/ids.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const letters: Record<Role, string> = { admin: "a", customer: "c", client: "n", volunteer: "v" };
const form = /^mh_[acnv]_[a-z2-7]{32}$/;

/** `length` random characters of 5 bits each. */
export function randomText(length: number): string {
  let text = "";
  for (const byte of randomBytes(length)) text += alphabet[byte & 31];
  return text;
}

/**
 * A new token: `mh_`, the letter of its role (a, c, n for a node client, v) so that a person can tell tokens apart, and
 * 160 random bits.
 */
export function makeSecret(role: Role): string {
  return `mh_${letters[role]}_${randomText(32)}`;
}

/** Whether a text has the form of a token: other texts are not worth a look-up in the store. */
export function isSecret(text: string): boolean {
  return form.test(text);
}

/** The hash under which the store keeps a token. Plain SHA-256 is enough: 160 random bits cannot be guessed from it. */
export function hashSecret(secret: string): Sha256 {
  return createHash("sha256").update(secret).digest("hex") as Sha256;
}
