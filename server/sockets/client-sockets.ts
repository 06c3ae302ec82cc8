import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { ipKeyGenerator } from "express-rate-limit";
import { WebSocketServer } from "ws";
import { limits } from "../../shared/limits.ts";
import { clientSocketPath, subprotocol } from "../../shared/protocol.ts";
import { isSameOrigin } from "../http/same-origin.ts";
import { ClientGate, type Authenticator, type SessionServices } from "./client-gate.ts";
import { ClientSession } from "./client-session.ts";
import type { Store } from "../store/store.ts";

/** The one WebSocket endpoint: bounds connections, checks origins, keeps them alive. */
export class ClientSockets {
  // permessage-deflate stays off: with it a connection costs 240 KiB after one echo, without 6-8 KiB (DESIGN).
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  readonly #sessions = new Set<ClientSession>();
  readonly #perAddress = new Map<string, number>();
  readonly #services: SessionServices;
  readonly #gate: ClientGate;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(access: Authenticator, store: Store, services: SessionServices) {
    this.#services = services;
    this.#gate = new ClientGate(access, store, services.options.volunteers);
    access.onRevoked((tokenId) => {
      for (const session of this.#sessions) session.revoked(tokenId);
    });
    this.#heartbeat = setInterval(() => {
      for (const session of this.#sessions) session.heartbeat();
    }, services.options.heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Takes the upgrade requests of an HTTP server. */
  attach(http: Server): void {
    http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on("error", () => socket.destroy());
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
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const address = this.#addressOf(request);
      const session = new ClientSession(webSocket, address, this.#gate, this.#services);
      this.#sessions.add(session);
      this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
      webSocket.on("close", () => this.#closed(session, address));
    });
  }

  /** Tells every client that the server goes, and closes. */
  close(reason: string, afterMs: number): void {
    clearInterval(this.#heartbeat);
    for (const session of this.#sessions) session.bye(reason, afterMs);
    this.#server.close();
  }

  /** Ends what did not close by itself. */
  terminate(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  #closed(session: ClientSession, address: string): void {
    this.#sessions.delete(session);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  /** The status line of a refusal before the upgrade, or undefined. */
  #refusalOf(request: IncomingMessage): string | undefined {
    const { options } = this.#services;
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path !== clientSocketPath) return "404 Not Found";
    // A page of another site may not use a visitor's machine.
    if (!isSameOrigin(request.headers, hostOf(request, options.trustProxy))) return "403 Forbidden";
    if (this.#sessions.size >= options.maxConnections) return "503 Service Unavailable";
    if ((this.#perAddress.get(this.#addressOf(request)) ?? 0) >= options.maxConnectionsPerAddress)
      return "429 Too Many Requests";
    return undefined;
  }

  #addressOf(request: IncomingMessage): string {
    const forwarded = this.#services.options.trustProxy ? request.headers["x-forwarded-for"] : undefined;
    // The last entry is the one our own proxy wrote; the others came from the client.
    const last = String(forwarded ?? "")
      .split(",")
      .at(-1)
      ?.trim();
    return ipKeyGenerator(last || (request.socket.remoteAddress ?? "unknown").replace(/^::ffff:/, ""));
  }
}

/** The name under which the request reached the server: the proxy's, when one is trusted. */
function hostOf(request: IncomingMessage, trustProxy: boolean): string | undefined {
  const forwarded = trustProxy ? request.headers["x-forwarded-host"] : undefined;
  return typeof forwarded === "string" ? forwarded : request.headers.host;
}
