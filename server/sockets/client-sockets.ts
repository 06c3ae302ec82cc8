import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ipKeyGenerator } from "express-rate-limit";
import { WebSocketServer, type WebSocket } from "ws";
import { limits } from "../../shared/limits.ts";
import { clientSocketPath, subprotocol } from "../../shared/wire/protocol.ts";
import { ClientGate, type Authenticator, type SessionServices } from "./client-gate.ts";
import { ClientSession, type SessionOwner } from "./client-session.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { Store } from "../store/store.ts";
import { addressOf, refuseUpgrade, type UpgradeEndpoint } from "./upgrades.ts";

/** What messages that have begun may hold, of all connections together: a few frames of the largest kind. */
const maxUnfinishedBytes = 128 * 1024 * 1024;
/** Less than this on a connection is not worth a look at all of them. */
const smallBytes = 1024 * 1024;

/** The WebSocket endpoint of clients: bounds connections, keeps them alive. */
export class ClientSockets implements UpgradeEndpoint {
  // permessage-deflate stays off: with it a connection costs 240 KiB after one echo, without 6-8 KiB (of ws alone).
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  readonly #sessions = new Set<ClientSession>();
  readonly #perAddress = new Map<string, number>();
  readonly #owner: SessionOwner = {
    messageGrew: (session) => this.#boundUnfinished(session),
    closed: (session) => this.#closed(session),
  };
  readonly #services: SessionServices;
  readonly #gate: ClientGate;
  readonly #heartbeats: Heartbeats<ClientSession>;

  constructor(access: Authenticator, store: Store, services: SessionServices) {
    this.#services = services;
    this.#gate = new ClientGate(access, store, services.options.volunteers);
    access.onRevoked((tokenId) => {
      for (const session of this.#sessions) session.revoked(tokenId);
    });
    const { heartbeatMs } = services.options;
    this.#heartbeats = new Heartbeats(this.#sessions, heartbeatMs, (session) => session.heartbeat());
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

  /** A method of its own: a listener made where the request is in scope keeps it, 1.2 KiB, as long as the connection. */
  #opened(webSocket: WebSocket, socket: Duplex, address: string): void {
    const session = new ClientSession(webSocket, socket, address, this.#gate, this.#services, this.#owner);
    this.#sessions.add(session);
    const key = ipKeyGenerator(address);
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
  }

  /** Messages that have begun hold memory of everybody: when it is too much, the largest of them ends. */
  #boundUnfinished(session: ClientSession): void {
    if (session.unfinishedBytes < smallBytes) return;
    let sum = 0;
    let largest = session;
    for (const other of this.#sessions) {
      sum += other.unfinishedBytes;
      if (other.unfinishedBytes > largest.unfinishedBytes) largest = other;
    }
    if (sum > maxUnfinishedBytes) largest.terminate();
  }

  /** Tells every client that the server goes, and closes. */
  close(reason: string, afterMs: number): void {
    this.#heartbeats.stop();
    for (const session of this.#sessions) session.bye(reason, afterMs);
    this.#server.close();
  }

  /** Ends what did not close by itself. */
  terminate(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  #closed(session: ClientSession): void {
    this.#sessions.delete(session);
    const key = ipKeyGenerator(session.address);
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(key, left);
    else this.#perAddress.delete(key);
  }

  /** The status of a refusal before the upgrade, or undefined. */
  #refusalOf(address: string): number | undefined {
    const { options } = this.#services;
    if (this.#sessions.size >= options.maxConnections) return 503;
    // One line at home has a whole network of IPv6 addresses: they count as one, as for requests.
    const connections = this.#perAddress.get(ipKeyGenerator(address)) ?? 0;
    return connections >= options.maxConnectionsPerAddress ? 429 : undefined;
  }
}
