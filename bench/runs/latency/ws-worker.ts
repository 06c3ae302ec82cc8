/** The worker of ws-commit.ts. */
import { once } from "node:events";
import { WebSocket } from "ws";

const socket = new WebSocket(`${process.argv[2]}/worker`);
await once(socket, "open");
socket.on("message", (input: Buffer) => socket.send(input));
console.log("ready");
