import { STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { isSameOrigin } from "../access/same-origin.ts";

/** Addresses that speak WebSocket. */
export interface UpgradeEndpoint {
  /** Whether a path (without its query) is of this endpoint. */
  takes(path: string): boolean;
  /** Opens a WebSocket on the connection, or refuses it with {@link refuseUpgrade}. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void | Promise<void>;
}

/** Whether a request asks for a WebSocket, and not for another protocol. */
export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Hands the upgrade requests of an HTTP server to the endpoint of their path, and those of foreign pages to nobody. */
export function takeUpgrades(
  http: Server,
  endpoints: readonly UpgradeEndpoint[],
  { trustProxy, log }: { trustProxy: boolean; log: Logger },
): void {
  const route = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const endpoint = endpoints.find((each) => each.takes(pathOf(request)));
    if (!endpoint) return refuseUpgrade(socket, 404);
    // A page of another site may not use a visitor's machine.
    if (!isSameOrigin(request.headers, hostOf(request, trustProxy))) return refuseUpgrade(socket, 403);
    await endpoint.upgrade(request, socket, head);
  };
  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", destroyIt);
    route(request, socket, head).catch((error: unknown) => {
      // Whatever a stranger sends: it ends that connection and nothing else.
      log.error({ err: error }, "an upgrade request failed");
      socket.destroy();
    });
  });
}

/** The path of a request, without its query. */
export function pathOf({ url = "/" }: IncomingMessage): string {
  return url.split("?", 1)[0]!;
}

/** Answers with a status instead of a WebSocket. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  // A peer that keeps its half open would hold the connection, and the end of the server, for ever.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}

/** Where a request comes from: what the proxy in front says, when one is trusted. */
export function addressOf(request: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy ? request.headers["x-forwarded-for"] : undefined;
  // The last entry is the one our own proxy wrote; the others came from the client.
  const last = String(forwarded ?? "")
    .split(",")
    .at(-1)
    ?.trim();
  return last || (request.socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
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
