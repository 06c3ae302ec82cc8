import type { Role } from "../../shared/wire/rest.ts";

/** Who a token speaks for. Tokens of one name belong to one customer: they see the same jobs. */
export interface Principal {
  readonly tokenId: string;
  readonly role: Role;
  readonly name: string;
  /** Milliseconds since the epoch; undefined: until revoked. */
  readonly expiresAt: number | undefined;
}
