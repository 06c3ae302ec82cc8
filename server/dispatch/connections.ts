import type { ClientId, Sha256 } from "../../shared/ids.ts";
import type { ServerMessage } from "../../shared/wire/protocol.ts";
import type { ClientConnection } from "../sockets/connection.ts";

/** Kernels of a connection that are noted; its client keeps more of them. */
const notedKernels = 64;

/** The connection of each client; at most one a client. */
export class Connections {
  readonly #byClient = new Map<ClientId, ClientConnection>();
  /** The newest kernels that went over each connection with a lease. */
  readonly #kernels = new WeakMap<ClientConnection, Set<Sha256>>();

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

  /** Notes that a kernel goes to the client. False when it went over the same connection before. */
  noteKernel(client: ClientId, kernel: Sha256): boolean {
    const connection = this.#byClient.get(client);
    if (!connection) return false;
    const sent = this.#kernels.get(connection) ?? new Set();
    this.#kernels.set(connection, sent);
    if (sent.has(kernel)) return false;
    sent.add(kernel);
    const [oldest] = sent;
    if (sent.size > notedKernels && oldest) sent.delete(oldest);
    return true;
  }

  all(): ClientConnection[] {
    return [...this.#byClient.values()];
  }
}
