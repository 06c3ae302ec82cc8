import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { BanInfo } from "../../shared/wire/rest/clients.ts";
import type { Store } from "../store/store.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Teller } from "./told.ts";

/** Most characters of a reason that is told to other servers. */
const toldChars = 1000;

/** Disconnects and bans clients for an administrator. */
export class ClientBans {
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;
  readonly #registry: ClientRegistry;
  readonly #teller: Pick<Teller, "send"> | undefined;

  /** @param teller - tells the other servers, to one of which a client may be connected; absent with one server */
  constructor(store: Store, dispatcher: Dispatcher, registry: ClientRegistry, teller?: Pick<Teller, "send">) {
    this.#store = store;
    this.#dispatcher = dispatcher;
    this.#registry = registry;
    this.#teller = teller;
  }

  /** Closes the client's connection; the client may come back. @throws PlatformError NOT_FOUND */
  disconnect(id: string): void {
    if (this.#teller && !this.#registry.isConnected(id))
      return this.#teller.send({ type: "disconnect", client: id });
    this.disconnectHere(id);
  }

  /**
   * Asks a client to finish what it runs and to begin anew in the server's version.
   * @throws PlatformError NOT_FOUND; WRONG_STATE when the client is not connected, or its version cannot
   */
  reload(id: string): void {
    if (this.#teller && !this.#registry.isConnected(id))
      return this.#teller.send({ type: "reload", client: id as ClientId });
    const client = this.#registry.require(id);
    if (this.reloadHere(client.id)) return;
    throw new PlatformError(
      "WRONG_STATE",
      `Client ${id} cannot reload by itself. Expected one that is connected, of version 0.3.0 or later.`,
    );
  }

  /** False when the client is not at this server, or its version cannot reload. */
  reloadHere(id: ClientId): boolean {
    return this.#dispatcher.connections.get(id)?.reload?.() ?? false;
  }

  /** Closes the connection of a client to this server. @throws PlatformError NOT_FOUND */
  disconnectHere(id: string): void {
    const client = this.#registry.require(id);
    this.#dispatcher.connections.get(client.id)?.bye("The administrator closed this connection.", 5000);
  }

  /** Lets a client finish what it holds and gives it no more, or takes that back. @throws PlatformError NOT_FOUND */
  drain(id: string, drained: boolean): void {
    if (this.#teller && !this.#registry.isConnected(id)) {
      this.#teller.send({ type: "drain", client: id, drained });
      if (!this.#registry.has(id)) return;
    }
    this.drainHere(id, drained);
  }

  /** @throws PlatformError NOT_FOUND */
  drainHere(id: string, drained: boolean): void {
    this.#registry.setDrained(id, drained);
    const client = id as ClientId;
    if (this.#dispatcher.scheduler.client(client))
      this.#dispatcher.feed({ type: "clientDrained", client, drained });
  }

  /** @throws PlatformError NOT_FOUND */
  async ban(id: string, reason: string): Promise<void> {
    // The client's server bans the address as well.
    if (this.#teller && !this.#registry.has(id))
      return this.#teller.send({ type: "ban", client: id, reason: reason.slice(0, toldChars) });
    await this.banHere(id, reason);
  }

  /** Bans a client that is or was connected to this server. @throws PlatformError NOT_FOUND */
  async banHere(id: string, reason: string): Promise<void> {
    const client = this.#registry.require(id);
    // A banned client easily gets a fresh identity, so its address is banned too, except for loopback, which all local clients share.
    if (!isLoopback(client.address)) await this.#store.ban(client.address, reason);
    await this.bar(client.id, reason);
  }

  /** Bans a client but not its address, which other clients may share. */
  async bar(id: ClientId, reason: string): Promise<void> {
    await this.#store.ban(id, reason);
    this.#refuse(id, reason);
  }

  /** Refuses the connected clients that another server banned. */
  async enforce(): Promise<void> {
    const reasons = new Map((await this.#store.listBans()).map(({ subject, reason }) => [subject, reason]));
    for (const { id, address } of this.#registry.connected()) {
      const reason = reasons.get(id) ?? reasons.get(address);
      if (reason !== undefined) this.#refuse(id, reason);
    }
  }

  #refuse(id: ClientId, reason: string): void {
    this.#dispatcher.feed({ type: "clientLeft", client: id });
    this.#registry.revokeTicket(id);
    const refusal = new PlatformError(
      "BANNED",
      `This client was banned from the server: ${reason || "no reason given"}.`,
    );
    this.#dispatcher.connections.get(id)?.refuse(refusal);
  }

  /** Oldest first. */
  list(): Promise<BanInfo[]> {
    return this.#store.listBans();
  }

  /** False when there is no such ban. */
  lift(id: string): Promise<boolean> {
    return this.#store.unban(id);
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
