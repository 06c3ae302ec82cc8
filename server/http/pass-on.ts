import { request as httpRequest, type ClientRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Request, RequestHandler, Response } from "express";
import { PlatformError } from "../../shared/errors.ts";
import { bearerOf } from "../access/bearer.ts";
import { serverOfTicket } from "../access/ticket.ts";

/** The servers that share a store, as far as passing on needs them. */
export interface TicketServers {
  /** The identifier of this server, which its tickets begin with. */
  readonly id: string;
  /** The address of a living server. */
  urlOf(id: string): string | undefined;
}

/** Requests that are passed on at the same time; each has two sockets and the buffers of both. */
const mostAtOnce = 256;
const connectMs = 5_000;
/** A transfer that does not move for this long is given up. */
const silentMs = 60_000;
const passedHeader = "x-manyhands-passed-on";

/**
 * Passes the request of a client on to the server that gave the client its ticket: that server alone knows what the client may read and
 * send. Behind a balancer a request may reach any server.
 */
export function passOn(servers: TicketServers): RequestHandler {
  let count = 0;
  return (req, res, next) => {
    const secret = bearerOf(req);
    const id = secret === undefined ? undefined : serverOfTicket(secret);
    if (id === undefined || id === servers.id || req.headers[passedHeader] !== undefined) return next();
    const url = servers.urlOf(id);
    // The client's ticket ended with the server that gave the ticket.
    if (url === undefined) return next();
    if (count >= mostAtOnce)
      return next(new PlatformError("TOO_MANY", `${count} requests are being passed on to other servers.`));
    count++;
    res.once("close", () => count--);
    pass(req, res, url, next);
  };
}

function pass(req: Request, res: Response, url: string, next: (error: unknown) => void): void {
  const target = new URL(`${url.replace(/\/$/, "")}${req.originalUrl}`);
  const send = target.protocol === "https:" ? httpsRequest : httpRequest;
  const { host: _host, origin: _origin, connection: _connection, ...headers } = req.headers;
  const passed: ClientRequest = send(
    target,
    { method: req.method, headers: { ...headers, [passedHeader]: "1" }, timeout: silentMs },
    (reply) => {
      const { connection: _hop, "keep-alive": _alive, "transfer-encoding": _coding, ...rest } = reply.headers;
      for (const [name, value] of Object.entries(rest))
        if (value !== undefined && !res.hasHeader(name)) res.setHeader(name, value);
      res.writeHead(reply.statusCode ?? 502);
      // A reply that breaks off must not look complete.
      reply.once("error", () => res.destroy());
      reply.pipe(res);
    },
  );
  const connecting = setTimeout(() => passed.destroy(new Error("no connection in time")), connectMs);
  passed.once("socket", (socket) =>
    socket.connecting ? socket.once("connect", () => clearTimeout(connecting)) : clearTimeout(connecting),
  );
  passed.once("timeout", () => passed.destroy(new Error("silent for too long")));
  passed.once("error", (error) => {
    clearTimeout(connecting);
    if (res.headersSent) res.destroy();
    else if (!res.destroyed)
      next(
        new PlatformError(
          "UNREACHABLE",
          "The server that this client is connected to does not answer.",
          error,
        ),
      );
  });
  res.once("close", () => passed.destroy());
  req.pipe(passed);
}
