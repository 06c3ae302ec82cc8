import { Agent } from "node:http";
import type { Fetch } from "../../customer/fetch.ts";
import { fetchOver } from "../../customer/node-fetch.ts";
import type { PortStream } from "./port-stream.ts";

/** Connections kept for the next request. */
const idleConnections = 8;

/** `fetch` over connections that `connect` makes, instead of sockets. */
export function createFetch(connect: () => PortStream): { fetch: Fetch; close(): void } {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleConnections });
  agent.createConnection = () => connect();
  // Without a deadline for silence: the engine lives in this process, and ends its connections when it ends.
  const fetch: Fetch = (url, init, { background = false } = {}) =>
    // One of its own, so that no other request is given a connection that keeps nothing alive.
    fetchOver(background ? { createConnection: () => connect().unref() } : { agent }, url, init);
  return { fetch, close: () => agent.destroy() };
}
