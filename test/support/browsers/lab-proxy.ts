import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";

/** A forward proxy (RFC 9112, 3.2.2) that takes every name for this machine, for browsers whose names cannot be set. */
export async function startLabProxy(): Promise<{ port: number; close(): void }> {
  const proxy = createServer((asked, answered) => {
    const { port, path } = targetOf(asked);
    const { method, headers } = asked;
    const passed = request({ host: "127.0.0.1", port, path, method, headers }, (reply) => {
      answered.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answered);
    });
    passed.on("error", () => answered.destroy());
    answered.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  passWebSockets(proxy);
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    close() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

function targetOf({ url = "" }: IncomingMessage): { port: number; path: string } {
  const { port, pathname, search } = new URL(url);
  return { port: Number(port), path: pathname + search };
}

function passWebSockets(proxy: Server): void {
  proxy.on("upgrade", (asked: IncomingMessage, socket, head: Buffer) => {
    const { port, path } = targetOf(asked);
    const passed = connect(port, "127.0.0.1", () => {
      const headers = asked.rawHeaders.flatMap((name, at) =>
        at % 2 ? [] : [`${name}: ${asked.rawHeaders[at + 1]}\r\n`],
      );
      passed.write(`GET ${path} HTTP/1.1\r\n${headers.join("")}\r\n`);
      passed.write(head);
      socket.pipe(passed).pipe(socket);
    });
    passed.on("error", () => socket.destroy());
    socket.on("error", () => passed.destroy());
  });
}
