import type { ClientId } from "../../shared/ids.ts";
import type { ServerMessage } from "../../shared/wire/protocol.ts";
import type { ClientConnection } from "../sockets/connection.ts";

/** The connection of each client; at most one a client. */
export class Connections {
  readonly #byClient = new Map<ClientId, ClientConnection>();

  /** @returns the client's earlier connection, which the new one replaces */
  add(client: ClientId, connection: ClientConnection): ClientConnection | undefined {
    const old = this.#byClient.get(client);
    this.#byClient.set(client, connection);
    return old;
  }

  /** False when another connection of the client has replaced this one. */
  remove(client: ClientId, connection: ClientConnection): boolean {
    if (this.#byClient.get(client) !== connection) return false;
    return this.#byClient.delete(client);
  }

  get(client: ClientId): ClientConnection | undefined {
    return this.#byClient.get(client);
  }

  /** False when the client is not connected. */
  send(client: ClientId, message: ServerMessage): boolean {
    const connection = this.#byClient.get(client);
    connection?.send(message);
    return connection !== undefined;
  }

  all(): ClientConnection[] {
    return [...this.#byClient.values()];
  }
}
