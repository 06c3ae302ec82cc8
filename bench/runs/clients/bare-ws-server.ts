/** The least WebSocket server: `ws` on an HTTP server, one listener a connection, a ping every 15 s. Prints its address. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("message", () => undefined);
  socket.on("error", () => undefined);
});
setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, 15_000);
http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${(http.address() as AddressInfo).port}`));
