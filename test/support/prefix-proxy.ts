import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/**
 * A proxy that forwards paths under `prefix` without the prefix, WebSockets too, and refuses others: as `location /prefix/ {
 * proxy_pass http://server/; }` of nginx.
 *
 * @returns its address with the prefix, and the paths of the forwarded WebSockets, without it
 */
export async function startPrefixProxy(
  target: string,
  prefix: string,
): Promise<{ url: string; upgraded: string[] }> {
  const { hostname, port } = new URL(target);
  const pathOf = ({ url = "" }: IncomingMessage): string | undefined =>
    url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : undefined;
  const upgraded: string[] = [];
  const proxy = createServer((req, res) => {
    const path = pathOf(req);
    if (path === undefined) {
      res.writeHead(404).end("nothing here");
      return;
    }
    const passed = request({ hostname, port, path, method: req.method, headers: req.headers }, (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
    });
    passed.on("error", () => res.destroy());
    res.on("close", () => passed.destroy());
    req.pipe(passed);
  });
  proxy.on("upgrade", (req: IncomingMessage, socket, head: Buffer) => {
    const path = pathOf(req);
    if (path === undefined) {
      socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
      return;
    }
    upgraded.push(path);
    const to = connect(Number(port), hostname, () => {
      const headers = req.rawHeaders.flatMap((text, at) =>
        at % 2 ? [] : [`${text}: ${req.rawHeaders[at + 1]}`],
      );
      to.write(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
      to.write(head);
      socket.pipe(to).pipe(socket);
    });
    to.on("error", () => socket.destroy());
    socket.on("error", () => to.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { url: `http://localhost:${(proxy.address() as AddressInfo).port}${prefix}`, upgraded };
}
