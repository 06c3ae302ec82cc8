import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeClientId, type ClientId } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import type { Store } from "../store/store.ts";
import { isShared } from "../store/open.ts";
import { writePrivate } from "./private-file.ts";

const keyBytes = 32;
/** Bytes of a secret: 32 characters of base64url, too many to guess. */
const secretBytes = 24;

/**
 * Makes the identities of clients and recognises invented ones (SPEC.md [TRUST-1]). A secret is the HMAC-SHA256 of id and token under a
 * key of the server, so that identities of any number of passing visitors take no storage.
 */
export class Identities {
  readonly #key: Uint8Array;

  /** @param key - 32 random bytes, the same after a restart */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A fresh identity that belongs to a token, or to none for a volunteer without invitation. */
  issue(tokenId: string | undefined): Identity {
    const client = makeClientId(randomBytes);
    return { client, secret: this.#secret(client, tokenId).toString("base64url") };
  }

  /** Whether this server made the identity, for a client with this token. */
  isGenuine({ client, secret }: Identity, tokenId: string | undefined): boolean {
    const claimed = Buffer.from(secret, "base64url");
    return claimed.length === secretBytes && timingSafeEqual(claimed, this.#secret(client, tokenId));
  }

  #secret(client: ClientId, tokenId: string | undefined): Buffer {
    return createHmac("sha256", this.#key)
      .update(`${client} ${tokenId ?? ""}`)
      .digest()
      .subarray(0, secretBytes);
  }
}

/** The identities of a server, whose key is in `<data>/identity-key` (mode 0600), or in a store that servers share. */
export async function openIdentities(dataDirectory: string, store: Store): Promise<Identities> {
  if (isShared(store)) return new Identities(await store.secret("identities"));
  const file = join(dataDirectory, "identity-key");
  const kept = readKey(file);
  if (kept) return new Identities(kept);
  const key = randomBytes(keyBytes);
  await writePrivate(file, `${key.toString("hex")}\n`);
  return new Identities(key);
}

function readKey(file: string): Buffer | undefined {
  try {
    const key = Buffer.from(readFileSync(file, "utf8").trim(), "hex");
    return key.length === keyBytes ? key : undefined;
  } catch {
    return undefined;
  }
}
