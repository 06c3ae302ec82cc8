import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** The treatment of one request; without any, the request is passed on unchanged. */
export interface Fault {
  /** Answers in place of the server. */
  readonly status?: number;
  readonly body?: string;
  /** Cuts the connection after so many bytes of the reply's body. */
  readonly cutAfter?: number;
  /** Passes the request on, and cuts the connection in place of the reply. */
  readonly loseReply?: boolean;
  /** Passes the request on without its range. */
  readonly isWhole?: boolean;
  /** Never answers. */
  readonly isSilent?: boolean;
}

/** A proxy in front of a real server, with faults of the test. */
export interface FaultyProxy {
  readonly url: string;
  /** The requests so far. */
  readonly seen: {
    readonly method: string;
    readonly url: string;
    readonly authorization: string | undefined;
  }[];
  close(): Promise<void>;
}

/**
 * Starts a proxy. Requests keep their Host, which signatures cover.
 * @param fault - asked for each request
 */
export async function startFaultyProxy(
  target: string,
  fault: (request: IncomingMessage) => Fault | undefined,
): Promise<FaultyProxy> {
  const seen: FaultyProxy["seen"] = [];
  const server = createServer((req, res) => {
    const { method = "", url = "" } = req;
    seen.push({ method, url, authorization: req.headers.authorization });
    const { status, body, isSilent, ...rest } = fault(req) ?? {};
    if (isSilent) return;
    if (status !== undefined) {
      // S3 answers before it has read the body.
      res.writeHead(status, { "content-type": "application/xml" }).end(body ?? "");
      req.resume();
    } else forward(target, req, res, rest);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

function forward(
  target: string,
  req: IncomingMessage,
  res: ServerResponse,
  { cutAfter = Infinity, loseReply = false, isWhole = false }: Fault,
): void {
  if (isWhole) delete req.headers.range;
  const onward = request(new URL(req.url ?? "", target), {
    method: req.method,
    headers: req.headers,
    setHost: false,
  });
  // Swift's HTTP library sends the end of a body behind a reply to HEAD, which has no body.
  onward.on("error", () => res.headersSent || res.destroy());
  onward.on("response", (reply) => {
    if (loseReply) {
      reply.resume().once("end", () => res.destroy());
      return;
    }
    res.writeHead(reply.statusCode ?? 500, reply.rawHeaders);
    if (req.method === "HEAD") {
      res.end();
      return;
    }
    let left = cutAfter;
    reply.on("data", (chunk: Buffer) => {
      res.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      reply.destroy();
      // Written bytes leave first.
      res.write("", () => res.destroy());
    });
    reply.on("end", () => res.end());
  });
  req.pipe(onward);
}
