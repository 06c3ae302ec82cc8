import { Connections } from "../system/connections.ts";
import type { Fetch } from "./fetch.ts";
import { fetchOver } from "./node-fetch.ts";

/** `fetch` over the network. When a connection is found dead, the other kept connections are dropped as well. */
export class Network {
  readonly #connections = new Connections();

  readonly fetch: Fetch = (url, init, options = {}) =>
    // A background request has a connection of its own, because such a connection keeps no process alive and must not be
    // reused.
    fetchOver({ agent: options.background ? false : this.#connections.agentOf(url) }, url, init, {
      ...options,
      onSilence: () => this.#connections.renew(),
    });
}
