import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  clientSocketPath,
  decodeClientFrame,
  decodeServerFrame,
  encodeFrame,
  subprotocol,
  type JobDescriptor,
} from "../../shared/wire/protocol.ts";

/**
 * A real server that an attacker controls: the server ignores the keys that clients trust, and sends job descriptions changed by `tamper`.
 * @returns its address
 */
export async function startTakenOverServer(
  target: string,
  tamper: (job: JobDescriptor) => JobDescriptor,
): Promise<string> {
  const { hostname, port } = new URL(target);
  const http = createServer((req, res) => {
    const passed = request(
      { hostname, port, path: req.url, method: req.method, headers: req.headers },
      (reply) => {
        res.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(res);
      },
    );
    passed.on("error", () => res.destroy());
    req.pipe(passed);
  });
  const sockets = new WebSocketServer({ server: http, path: clientSocketPath });
  sockets.on("connection", (client) => {
    const server = new WebSocket(target.replace("http", "ws") + clientSocketPath, subprotocol);
    const opened = once(server, "open");
    client.on("message", (frame: Buffer) => {
      const messages = decodeClientFrame(new Uint8Array(frame)).map((message) => {
        if (message.type !== "hello") return message;
        const { trusts: _, ...hello } = message;
        return hello;
      });
      void opened.then(() => server.send(encodeFrame(messages)));
    });
    server.on("message", (frame: Buffer) => {
      const messages = decodeServerFrame(new Uint8Array(frame)).map((message) =>
        message.type === "lease" ? { ...message, job: tamper(message.job) } : message,
      );
      client.send(encodeFrame(messages));
    });
    server.on("error", () => client.terminate());
    server.on("close", () => client.close());
    client.on("close", () => server.terminate());
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    http.closeAllConnections();
    http.close();
  });
  return `http://localhost:${(http.address() as AddressInfo).port}`;
}
