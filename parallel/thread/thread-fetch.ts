import { Agent } from "node:http";
import type { Fetch } from "../../customer/fetch.ts";
import { fetchOver } from "../../customer/node-fetch.ts";
import type { PortStream } from "./port-stream.ts";

/** Connections kept for the next request. */
const idleConnections = 8;

/** Makes a `fetch` over connections of `connect` instead of sockets. */
export function createFetch(connect: () => PortStream): { fetch: Fetch; close(): void } {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
  agent.createConnection = () => connect();
  // No deadline for silence: the engine lives in this process, and ends its connections when it ends.
  const fetch: Fetch = (url, init, { background = false } = {}) =>
    // A background request has a connection of its own, because an unref'ed one would not keep the program alive for others.
    fetchOver(background ? { createConnection: () => connect().unref() } : { agent }, url, init);
  return { fetch, close: () => agent.destroy() };
}
