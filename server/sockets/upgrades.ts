import { STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import type { KnowsHosts } from "../access/known-hosts.ts";
import { isPageOf, isSameOrigin } from "../access/same-origin.ts";
import type { ServerOptions } from "../options.ts";

/** A WebSocket endpoint of the server. */
export interface UpgradeEndpoint {
  /** Whether the endpoint serves this path (without its query). */
  takes(path: string): boolean;
  /** Whether pages of the other servers may open it (SPEC.md [SERVERS-4]). */
  readonly isForServers?: boolean;
  /** Opens a WebSocket on the connection, or refuses it with {@link refuseUpgrade}. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void | Promise<void>;
}

/** Whether a request asks for a WebSocket, and not for another protocol. */
export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Hands each upgrade request to the endpoint of its path; refuses those of foreign pages. */
export function takeUpgrades(
  http: Server,
  endpoints: readonly UpgradeEndpoint[],
  {
    trustProxy,
    servers,
    knowsHosts,
    log,
  }: Pick<ServerOptions, "trustProxy" | "servers"> & { knowsHosts: KnowsHosts; log: Logger },
): void {
  const route = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const endpoint = endpoints.find((each) => each.takes(pathOf(request)));
    if (!endpoint) return refuseUpgrade(socket, 404);
    // A page of another site may not use the machine of its visitor.
    const isOther = endpoint.isForServers === true && isPageOf(servers(), request.headers);
    if (!isOther && !isSameOrigin(request.headers, hostOf(request, trustProxy)))
      return refuseUpgrade(socket, 403);
    // Browsers send Origin with every WebSocket. Programs send none, and may use any name of the server.
    if (request.headers.origin !== undefined && !knowsHosts(request.headers))
      return refuseUpgrade(socket, 403);
    await endpoint.upgrade(request, socket, head);
  };
  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", destroyIt);
    route(request, socket, head).catch((error: unknown) => {
      // The connection of a stranger ends, and nothing else.
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
  // A peer that keeps its half open would hold the connection, and so the end of the server.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}

/** The address of the client that sent a request: as a trusted proxy in front says. */
export function addressOf(request: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy ? request.headers["x-forwarded-for"] : undefined;
  // The proxy in front wrote the last entry; the client may have written the others.
  const last = String(forwarded ?? "")
    .split(",")
    .at(-1)
    ?.trim();
  return last || (request.socket.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
}

/** A shared listener: a closure for each connection would live as long as the connection. */
function destroyIt(this: Duplex): void {
  this.destroy();
}

/** The name under which the request reached the server: as a trusted proxy in front says. */
function hostOf(request: IncomingMessage, trustProxy: boolean): string | undefined {
  const forwarded = trustProxy ? request.headers["x-forwarded-host"] : undefined;
  // The first entry, as Express takes it for requests.
  const first = typeof forwarded === "string" ? forwarded.split(",", 1)[0]?.trimEnd() : undefined;
  return first || request.headers.host;
}
