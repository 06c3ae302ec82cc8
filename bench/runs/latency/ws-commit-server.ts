/** The server of ws-commit.ts; its argument is a directory for the database. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { WebSocketServer, type WebSocket } from "ws";

const database = new DatabaseSync(join(process.argv[2]!, "tasks.sqlite"));
database.exec(
  "pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full; create table tasks (id integer primary key, input blob)",
);
const insert = database.prepare("insert into tasks (input) values (?)");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
await once(server, "listening");
let customer: WebSocket;
let worker: WebSocket;

server.on("connection", (socket, { url }) => {
  if (url === "/customer") {
    customer = socket;
    socket.on("message", (input: Buffer) => {
      insert.run(input);
      worker.send(input);
    });
  } else {
    worker = socket;
    socket.on("message", (output: Buffer) => customer.send(output));
  }
});

console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
