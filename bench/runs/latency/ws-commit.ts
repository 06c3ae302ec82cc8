/**
 * A bare round trip: customer, server and worker are processes; the server commits the input to SQLite (WAL,
 * synchronous=FULL) before it passes the input on. Results are not kept, and the worker has no sandbox.
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import { startScript, temporaryDirectory } from "../support/children.ts";
import { measureLatency } from "./measure.ts";

const url = await startScript("latency/ws-commit-server.ts", [temporaryDirectory()]).line();
await startScript("latency/ws-worker.ts", [url]).line();
const socket = new WebSocket(`${url}/customer`);
await once(socket, "open");
await measureLatency(async (input) => {
  socket.send(input);
  const [output] = (await once(socket, "message")) as [Buffer];
  return output.toString();
});
