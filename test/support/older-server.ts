import { createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

const refusal = JSON.stringify({
  code: "UNSUPPORTED_TYPE",
  message: "It cannot come compressed.",
  retryable: false,
});

/** A server that takes no compressed bodies, at an address where another has said that it does. */
export interface OlderServer {
  readonly url: string;
  /** Compressed bodies that were refused. */
  readonly refused: () => number;
}

/** Starts a proxy before a server, as a balancer is in the middle of an upgrade: it refuses compressed bodies, and passes others on. */
export async function startOlderServer(to: string, delayMs = 100): Promise<OlderServer> {
  let refused = 0;
  const server = createServer((asked, reply) => {
    setTimeout(() => {
      const { method, headers, url = "/" } = asked;
      if (headers["content-encoding"] !== undefined) {
        refused++;
        asked.resume();
        reply.writeHead(415, { "content-type": "application/json" }).end(refusal);
        return;
      }
      const sent = request(new URL(url, to), { method, headers: { ...headers, host: new URL(to).host } });
      sent.on("response", (answer) => {
        reply.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(reply);
      });
      sent.on("error", () => reply.destroy());
      asked.pipe(sent);
    }, delayMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused: () => refused,
  };
}
