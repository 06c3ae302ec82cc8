import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import type { ClientMessage, IdleReason, LeaseKey } from "../../shared/wire/protocol.ts";
import type { Role } from "../../shared/wire/rest/tokens.ts";
import { cohortOfStranger } from "./cohort.ts";
import type { ClientConnection } from "./connection.ts";
import type { ServerOptions } from "../options.ts";
import type { Store } from "../store/store.ts";

type Hello = Extract<ClientMessage, { type: "hello" }>;

/** The verbs of the access room that the gate calls. */
export interface Authenticator {
  authenticate(
    secret: string | undefined,
  ): Promise<{ role: Role; name: string; tokenId: string; maxClients?: number | undefined } | undefined>;
  /** Calls the listener when a token was revoked. */
  onRevoked(listener: (tokenId: string) => void): void;
}

/** A client that may join. */
export interface Admission {
  /** The identity of the client's hello, or a fresh identity when the hello proved none. */
  readonly identity: Identity;
  /** True for a client (or admin) token; volunteers are not trusted. */
  readonly trusted: boolean;
  /** Name of a stranger's cohort; a trusted client's own id. */
  readonly cohort: string;
  /** Whether the client is the auditor of this server. */
  readonly auditor?: boolean;
  /** The token of its hello; the connection ends when this token is revoked. */
  readonly tokenId?: string;
  /** Most clients that are connected with that token at once. */
  readonly maxClients?: number;
}

/** The verbs of the access room for clients' identities. */
export interface IdentityMaker {
  issue(tokenId: string | undefined): Identity;
  isGenuine(identity: Identity, tokenId: string | undefined): boolean;
}

/** A client that joined. */
export interface Joining extends Admission {
  readonly hello: Hello;
  readonly connection: ClientConnection;
  readonly address: string;
  readonly ticket: string;
}

/** The verbs of the dispatcher that a connection calls. */
export interface ConnectionServices {
  readonly options: ServerOptions;
  readonly log: Logger;
  /** A ticket for the transfers of a client. */
  makeTicket(): string;
  /** @returns the held leases that are not the client's any more */
  onJoin(joining: Joining): LeaseKey[];
  onMessage(client: ClientId, message: Exclude<ClientMessage, Hello>): void;
  /** Why there is no task for the client; undefined for one that has any. */
  whyIdle(client: ClientId): IdleReason | undefined;
  /** The network took so many bytes of inline values of leases. */
  onRead(client: ClientId, bytes: number): void;
  /** `refused`: the client is not expected again; `broken`: it may come back within its grace time. */
  onClose(client: ClientId, connection: ClientConnection, how: "broken" | "refused"): void;
}

/** Decides who may compute (SPEC.md [ACCESS-2]). */
export class ClientGate {
  readonly #access: Authenticator;
  readonly #identities: IdentityMaker;
  readonly #store: Store;
  readonly #isAuditor: (tokenId: string | undefined) => boolean;
  readonly #volunteers: ServerOptions["volunteers"];

  constructor(
    access: Authenticator,
    identities: IdentityMaker,
    store: Store,
    volunteers: ServerOptions["volunteers"],
    isAuditor: (tokenId: string | undefined) => boolean,
  ) {
    this.#isAuditor = isAuditor;
    this.#access = access;
    this.#identities = identities;
    this.#store = store;
    this.#volunteers = volunteers;
  }

  /** @throws PlatformError BANNED, UNAUTHENTICATED, FORBIDDEN, INVITE_REQUIRED, VOLUNTEERS_OFF */
  async admit(hello: Hello, address: string): Promise<Admission> {
    const { trusted, tokenId, maxClients } = await this.#rights(hello);
    const claimed = hello.identity;
    const isOwn = claimed !== undefined && this.#identities.isGenuine(claimed, tokenId);
    const identity = isOwn ? claimed : this.#identities.issue(tokenId);
    await this.#refuseBanned(identity.client, address);
    const cohort = trusted ? identity.client : cohortOfStranger(tokenId, address);
    const auditor = this.#isAuditor(tokenId);
    return {
      identity,
      trusted,
      cohort,
      auditor,
      ...(tokenId !== undefined && { tokenId }),
      ...(maxClients !== undefined && { maxClients }),
    };
  }

  async #rights({
    token,
  }: Hello): Promise<{ trusted: boolean; tokenId?: string; maxClients?: number | undefined }> {
    if (token === undefined) {
      if (this.#volunteers === "open") return { trusted: false };
      if (this.#volunteers === "invite")
        throw new PlatformError(
          "INVITE_REQUIRED",
          "This server takes invited volunteers only, and no invitation came along.",
        );
      throw new PlatformError("VOLUNTEERS_OFF", "This server takes no volunteers, and no token came along.");
    }
    const principal = await this.#access.authenticate(token);
    if (!principal)
      throw new PlatformError("UNAUTHENTICATED", "The token or invitation is unknown, revoked or expired.");
    const { role, tokenId, maxClients } = principal;
    if (role === "client" || role === "admin") return { trusted: true, tokenId, maxClients };
    if (role === "customer")
      throw new PlatformError(
        "FORBIDDEN",
        "A customer token submits jobs; a computing client needs a client token.",
      );
    if (this.#volunteers === "off")
      throw new PlatformError("VOLUNTEERS_OFF", "This server takes no volunteers at present.");
    return { trusted: false, tokenId, maxClients };
  }

  async #refuseBanned(client: ClientId, address: string): Promise<void> {
    for (const { subject, reason } of await this.#store.listBans())
      if (subject === client || subject === address)
        throw new PlatformError(
          "BANNED",
          `This client was banned from the server: ${reason || "no reason given"}.`,
        );
  }
}
