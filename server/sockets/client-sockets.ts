import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ipKeyGenerator } from "express-rate-limit";
import { WebSocketServer, type WebSocket } from "ws";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { clientSocketPath, deflateSubprotocol, subprotocol } from "../../shared/wire/protocol.ts";
import {
  ClientGate,
  type Admission,
  type Authenticator,
  type ConnectionServices,
  type IdentityMaker,
} from "./client-gate.ts";
import { SocketConnection, type ConnectionOwner } from "./socket-connection.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { Store } from "../store/store.ts";
import { addressOf, refuseUpgrade, type UpgradeEndpoint } from "./upgrades.ts";

/** Bytes of unfinished messages, of all connections together: a few frames of the largest kind. */
const maxUnfinishedBytes = 128 * 1024 * 1024;
/** A connection below this is not worth a look at all of them. */
const smallBytes = 1024 * 1024;

/** The WebSocket endpoint of clients: bounds connections, keeps them alive. */
export class ClientSockets implements UpgradeEndpoint {
  readonly isForServers = true;
  // permessage-deflate stays off: browsers then compress every small frame, which takes 14 times the processor time of a frame.
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    handleProtocols: (offered) =>
      [deflateSubprotocol, subprotocol].find((name) => offered.has(name)) ?? false,
  });
  readonly #connections = new Set<SocketConnection>();
  readonly #perAddress = new Map<string, number>();
  readonly #owner: ConnectionOwner = {
    messageGrew: (connection) => this.#boundUnfinished(connection),
    closed: (connection) => this.#closed(connection),
    mustFit: (admission) => this.#mustFit(admission),
  };
  readonly #services: ConnectionServices;
  readonly #gate: ClientGate;
  readonly #heartbeats: Heartbeats<SocketConnection>;

  constructor(
    access: Authenticator,
    identities: IdentityMaker,
    store: Store,
    services: ConnectionServices,
    isAuditor: (tokenId: string | undefined) => boolean,
  ) {
    this.#services = services;
    this.#gate = new ClientGate(access, identities, store, services.options.volunteers, isAuditor);
    access.onRevoked((tokenId) => {
      for (const connection of this.#connections) connection.revoked(tokenId);
    });
    const { heartbeatMs } = services.options;
    this.#heartbeats = new Heartbeats(this.#connections, heartbeatMs, (connection) => connection.heartbeat());
  }

  takes(path: string): boolean {
    return path === clientSocketPath;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = addressOf(request, this.#services.options.trustProxy);
    const refusal = this.#refusalOf(address);
    if (refusal !== undefined) return refuseUpgrade(socket, refusal);
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#opened(webSocket, socket, address),
    );
  }

  /** A method of its own: a closure made in `upgrade` would keep the request, 1.2 KiB, as long as the connection. */
  #opened(webSocket: WebSocket, socket: Duplex, address: string): void {
    const connection = new SocketConnection(
      webSocket,
      socket,
      address,
      this.#gate,
      this.#services,
      this.#owner,
    );
    this.#connections.add(connection);
    const key = ipKeyGenerator(address);
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
  }

  /** @throws PlatformError TOO_MANY when as many other clients as the token allows are connected with it */
  #mustFit({ tokenId, maxClients, identity }: Admission): void {
    if (tokenId === undefined || maxClients === undefined) return;
    const clients = new Set<ClientId>();
    for (const connection of this.#connections) {
      const client = connection.clientOf(tokenId);
      if (client !== undefined && client !== identity.client) clients.add(client);
    }
    if (clients.size < maxClients) return;
    throw new PlatformError(
      "TOO_MANY",
      `This token is for ${maxClients} clients at once, and as many are connected.`,
      undefined,
      "Wait until one of them leaves, or ask the administrator for another token.",
    );
  }

  /** Unfinished messages share one bound of memory: beyond it, the connection with the largest of them ends. */
  #boundUnfinished(connection: SocketConnection): void {
    if (connection.unfinishedBytes < smallBytes) return;
    let sum = 0;
    let largest = connection;
    for (const other of this.#connections) {
      sum += other.unfinishedBytes;
      if (other.unfinishedBytes > largest.unfinishedBytes) largest = other;
    }
    if (sum > maxUnfinishedBytes) largest.terminate();
  }

  /** Tells every client that the server goes down, and closes. */
  close(reason: string, afterMs: number): void {
    this.#heartbeats.stop();
    for (const connection of this.#connections) connection.bye(reason, afterMs);
    this.#server.close();
  }

  /** Ends the connections that did not close by themselves. */
  terminate(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  #closed(connection: SocketConnection): void {
    this.#connections.delete(connection);
    const key = ipKeyGenerator(connection.address);
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(key, left);
    else this.#perAddress.delete(key);
  }

  /** The HTTP status to refuse an upgrade with; undefined for a welcome address. */
  #refusalOf(address: string): number | undefined {
    const { options } = this.#services;
    if (this.#connections.size >= options.maxConnections) return 503;
    // A household has a whole network of IPv6 addresses: all of them count as one address, as for requests.
    const connections = this.#perAddress.get(ipKeyGenerator(address)) ?? 0;
    return connections >= options.maxConnectionsPerAddress ? 429 : undefined;
  }
}
