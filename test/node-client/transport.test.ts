import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { connect as connectTo } from "../../node-client/transport.ts";
import type { TransportConnection } from "../../shared/client/ports.ts";
import { limits } from "../../shared/limits.ts";
import { clientSocketPath, subprotocol } from "../../shared/wire/protocol.ts";
import { until } from "../support/processes.ts";

describe("transport", () => {
  it("carries binary frames both ways, without compression, and hears pings", async () => {
    const { url, sockets } = await listen();
    const { connection, events } = connect(url);
    const socket = await until(() => sockets[0]);
    await until(() => events.includes("opened"));
    expect(socket.protocol).toBe(subprotocol);
    expect(socket.extensions).toBe("");
    const got: Buffer[] = [];
    socket.on("message", (data: Buffer) => got.push(data));
    connection.send(new Uint8Array([1, 2, 3]));
    await until(() => got.length === 1);
    expect([...got[0]!]).toEqual([1, 2, 3]);
    socket.send(new Uint8Array([4, 5]));
    socket.ping();
    await until(() => events.includes("heard"));
    expect(events.filter((event) => event !== "heard")).toEqual(["opened", "received 4,5"]);
  });

  it("[MILES-1] hears the bytes of a frame before all of it is there", async () => {
    const { url, sockets } = await listen();
    const { events } = connect(url);
    const socket = await until(() => sockets[0]);
    await until(() => events.includes("opened"));
    const { _socket: network } = socket as unknown as { _socket: Socket };
    // The head and the first of ten bytes of a binary frame (RFC 6455 §5.2).
    network.write(new Uint8Array([0x82, 10, 1]));
    await until(() => events.includes("heard"));
    expect(events).toEqual(["opened", "heard"]);
  });

  it("tells the end exactly once, with the server's code and reason", async () => {
    const { url, sockets } = await listen();
    const { events } = connect(url);
    const socket = await until(() => sockets[0]);
    socket.close(4403, "not you");
    await until(() => events.some((event) => event.startsWith("closed")));
    socket.terminate();
    await new Promise((resolve) => setImmediate(resolve));
    expect(events.filter((event) => event.startsWith("closed"))).toEqual(["closed 4403 not you"]);
  });

  it("tells its own close at once, and what the server says after is not heard", async () => {
    const { url, sockets } = await listen();
    const { connection, events } = connect(url);
    const socket = await until(() => sockets[0]);
    await until(() => events.includes("opened"));
    const { promise: closed, resolve } = Promise.withResolvers<number>();
    socket.on("close", resolve);
    connection.close(1000, "done");
    expect(events.at(-1)).toBe("closed 1000 done");
    socket.send(new Uint8Array([1]));
    expect(await closed).toBe(1000);
    expect(events).toHaveLength(2);
    connection.send(new Uint8Array([1]));
  });

  it("ends a connection whose server sends a frame above the limit", async () => {
    const { url, sockets } = await listen();
    const { events } = connect(url);
    const socket = await until(() => sockets[0]);
    socket.send(new Uint8Array(limits.frameBytes + 1));
    await until(() => events.some((event) => event.startsWith("closed")));
    expect(events.filter((event) => event.startsWith("received"))).toEqual([]);
  });

  it("a connection that does not come about arrives as closed, with the reason", async () => {
    const { url, close } = await listen();
    await close();
    const gone = connect(url);
    await until(() => gone.events.length === 1);
    expect(gone.events[0]).toMatch(/^closed 1006 .*ECONNREFUSED/);
    const server = createServer((_, response) => response.end("a page"));
    server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const refused = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await until(() => refused.events.length === 1);
    expect(refused.events[0]).toMatch(/^closed 1006 .*503/);
  });
});

function connect(url: string): { connection: TransportConnection; events: string[] } {
  const events: string[] = [];
  const handlers = {
    opened: () => events.push("opened"),
    received: (frame: Uint8Array) => events.push(`received ${[...frame].join(",")}`),
    heard: () => events.push("heard"),
    closed: (code: number, reason: string) => events.push(`closed ${code} ${reason}`),
  };
  const connection = connectTo(handlers, url);
  onTestFinished(() => connection.close(1000, "test over"));
  return { connection, events };
}

async function listen(): Promise<{ url: string; sockets: WebSocket[]; close: () => Promise<void> }> {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    path: clientSocketPath,
    perMessageDeflate: true,
  });
  const sockets: WebSocket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.terminate();
      server.close(() => resolve());
    });
  onTestFinished(close);
  return { url: `http://127.0.0.1:${port}`, sockets, close };
}
