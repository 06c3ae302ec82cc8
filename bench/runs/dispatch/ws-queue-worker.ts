/** The worker of ws-queue.ts. */
import { once } from "node:events";
import { WebSocket } from "ws";

const socket = new WebSocket(`${process.argv[2]}/worker`);
await once(socket, "open");
socket.on("message", (data: Buffer) => {
  const tasks = JSON.parse(data.toString()) as [number, string][];
  socket.send(JSON.stringify(tasks.map(([id, input]) => [id, input])));
});
console.log("ready");
