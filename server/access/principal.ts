import type { Role } from "../../shared/wire/rest/tokens.ts";

/** The identity behind a token. Tokens of one name belong to one customer: they see the same jobs. */
export interface Principal {
  readonly tokenId: string;
  readonly role: Role;
  readonly name: string;
  /** Milliseconds since the epoch; undefined when the token lasts until it is revoked. */
  readonly expiresAt: number | undefined;
  /** Most clients that are connected with the token at once; undefined: any number. */
  readonly maxClients?: number | undefined;
}
