import { Connections } from "../system/connections.ts";
import type { Fetch } from "./fetch.ts";
import { fetchOver } from "./node-fetch.ts";

/** `fetch` over the network, on connections that leave when one of them was found dead. */
export class Network {
  readonly #connections = new Connections();

  readonly fetch: Fetch = (url, init, options = {}) =>
    // In the background on one of its own, so that no other request is given a connection that keeps nothing alive.
    fetchOver({ agent: options.background ? false : this.#connections.agentOf(url) }, url, init, {
      ...options,
      onSilence: () => this.#connections.renew(),
    });
}
