import type { ClientId } from "../../shared/ids.ts";
import type { PlatformError } from "../../shared/errors.ts";
import type { ServerMessage } from "../../shared/protocol.ts";

/** The live end of a client's socket, as the dispatcher sees it. */
export interface ClientConnection {
  /** Queues a message; those of one event-loop turn leave as one frame. Never throws. */
  send(message: ServerMessage): void;
  /** Ends the connection with a refusal. */
  refuse(error: PlatformError): void;
  /** Ends the connection, telling the client to come back. */
  bye(reason: string, afterMs: number): void;
}

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

  send(client: ClientId, message: ServerMessage): void {
    this.#byClient.get(client)?.send(message);
  }

  all(): ClientConnection[] {
    return [...this.#byClient.values()];
  }
}
