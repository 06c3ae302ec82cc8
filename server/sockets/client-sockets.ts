import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { ipKeyGenerator } from "express-rate-limit";
import { WebSocketServer } from "ws";
import { limits } from "../../shared/limits.ts";
import { clientSocketPath, subprotocol } from "../../shared/protocol.ts";
import { isSameOrigin } from "../http/same-origin.ts";
import { ClientGate, type Authenticator, type SessionServices } from "./client-gate.ts";
import { ClientSession, SessionSocket, type SessionOwner } from "./client-session.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { Store } from "../store/store.ts";

/** What messages that have begun may hold, of all connections together: a few frames of the largest kind. */
const maxUnfinishedBytes = 128 * 1024 * 1024;
/** Less than this on a connection is not worth a look at all of them. */
const smallBytes = 1024 * 1024;

/** The one WebSocket endpoint: bounds connections, checks origins, keeps them alive. */
export class ClientSockets {
  // permessage-deflate stays off: with it a connection costs 240 KiB after one echo, without 6-8 KiB (of ws alone).
  readonly #server = new WebSocketServer({
    noServer: true,
    WebSocket: SessionSocket,
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

  /** Takes the upgrade requests of an HTTP server. */
  attach(http: Server): void {
    http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on("error", destroyIt);
      try {
        this.#upgrade(request, socket, head);
      } catch (error) {
        // Whatever a stranger sends: it ends that connection and nothing else.
        this.#services.log.error({ err: error }, "an upgrade request failed");
        socket.destroy();
      }
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusalOf(request);
    if (refusal) {
      // A peer that keeps its half open would hold the connection, and the end of the server, for ever.
      socket.once("finish", () => socket.destroy());
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const address = this.#addressOf(request);
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#opened(webSocket, socket, address),
    );
  }

  /** A method of its own: a listener made where the request is in scope keeps it, 1.2 KiB, as long as the connection. */
  #opened(webSocket: SessionSocket, socket: Duplex, address: string): void {
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

  /** The status line of a refusal before the upgrade, or undefined. */
  #refusalOf(request: IncomingMessage): string | undefined {
    const { options } = this.#services;
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path !== clientSocketPath) return "404 Not Found";
    // A page of another site may not use a visitor's machine.
    if (!isSameOrigin(request.headers, hostOf(request, options.trustProxy))) return "403 Forbidden";
    if (this.#sessions.size >= options.maxConnections) return "503 Service Unavailable";
    // One line at home has a whole network of IPv6 addresses: they count as one, as for requests.
    const key = ipKeyGenerator(this.#addressOf(request));
    if ((this.#perAddress.get(key) ?? 0) >= options.maxConnectionsPerAddress) return "429 Too Many Requests";
    return undefined;
  }

  #addressOf(request: IncomingMessage): string {
    const forwarded = this.#services.options.trustProxy ? request.headers["x-forwarded-for"] : undefined;
    // The last entry is the one our own proxy wrote; the others came from the client.
    const last = String(forwarded ?? "")
      .split(",")
      .at(-1)
      ?.trim();
    return last || (request.socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
  }
}

/** One function for all connections: a closure for each would be kept as long as they. */
function destroyIt(this: Duplex): void {
  this.destroy();
}

/** The name under which the request reached the server: the proxy's, when one is trusted. */
function hostOf(request: IncomingMessage, trustProxy: boolean): string | undefined {
  const forwarded = trustProxy ? request.headers["x-forwarded-host"] : undefined;
  // The first entry, which is what Express takes for requests.
  const first = typeof forwarded === "string" ? forwarded.split(",", 1)[0]?.trimEnd() : undefined;
  return first || request.headers.host;
}
