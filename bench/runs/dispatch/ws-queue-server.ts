/** The server of ws-queue.ts: keeps every task in a map until its result is back, and passes batches on as they came. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
await once(server, "listening");
const tasks = new Map<number, string>();
let last = 0;
let customer: WebSocket;
let worker: WebSocket;

server.on("connection", (socket, { url }) => {
  if (url === "/customer") {
    customer = socket;
    socket.on("message", submit);
  } else {
    worker = socket;
    socket.on("message", finish);
  }
});

function submit(data: Buffer): void {
  const batch = (JSON.parse(data.toString()) as string[]).map((input) => [++last, input] as const);
  for (const [id, input] of batch) tasks.set(id, input);
  worker.send(JSON.stringify(batch));
}

function finish(data: Buffer): void {
  const results = JSON.parse(data.toString()) as [number, string][];
  customer.send(JSON.stringify(results.filter(([id]) => tasks.delete(id))));
}

console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
