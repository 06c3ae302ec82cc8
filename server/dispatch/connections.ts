import type { ClientId } from "../../shared/ids.ts";
import type { ServerMessage } from "../../shared/wire/protocol.ts";
import type { ClientConnection } from "../sockets/connection.ts";

/** Which client is connected where; at most one connection a client. */
export class Connections {
  readonly #byClient = new Map<ClientId, ClientConnection>();

  /** @returns the connection that this one replaces, if any */
  add(client: ClientId, connection: ClientConnection): ClientConnection | undefined {
    const old = this.#byClient.get(client);
    this.#byClient.set(client, connection);
    return old;
  }

  /** False when the client is connected anew by now. */
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
