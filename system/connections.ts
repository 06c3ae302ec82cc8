import { Agent as HttpAgent, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { SilenceError, type SilenceOptions } from "./silence.ts";

/**
 * Gives up a request, or its reply, with a {@link SilenceError} when its connection stalls (SPEC.md [WAIT-2]). Node counts
 * bytes of both directions, also while one large write leaves piece by piece, and while the connection is being made.
 */
export function watchSilence(
  sent: ClientRequest,
  { silenceMs, replySilenceMs = silenceMs, workMs = 0, onSilence }: SilenceOptions,
): void {
  let reply: IncomingMessage | undefined;
  sent.once("socket", (socket) => {
    const silent = (): void => {
      // A slow reader is no silence of the connection.
      if (reply && (reply.isPaused() || reply.readableLength > 0)) return void socket.setTimeout(silenceMs);
      onSilence?.();
      (reply ?? sent).destroy(new SilenceError(reply ? replySilenceMs : silenceMs, !socket.connecting));
    };
    socket.setTimeout(silenceMs);
    socket.on("timeout", silent);
    if (workMs > 0) sent.once("finish", () => reply ?? socket.setTimeout(silenceMs + workMs));
    sent.once("response", (begun) => {
      reply = begun;
      socket.setTimeout(replySilenceMs);
    });
    // The connection may be kept for another request, which has a watch of its own.
    sent.once("close", () => socket.off("timeout", silent));
  });
}

/** Connections that are kept for later requests. */
export class Connections {
  #agents = new Map<string, HttpAgent>();

  agentOf({ protocol }: URL): HttpAgent {
    let agent = this.#agents.get(protocol);
    if (!agent) {
      agent = new (protocol === "https:" ? HttpsAgent : HttpAgent)({ keepAlive: true });
      this.#agents.set(protocol, agent);
    }
    return agent;
  }

  /**
   * Drops the kept connections: when one is dead, others over the same network are dead as well.
   * @param pending - those of pending requests too, which otherwise finish on their old connections
   */
  renew(pending = false): void {
    const agents = [...this.#agents.values()];
    this.#agents = new Map();
    for (const { freeSockets, sockets } of agents)
      for (const kept of [freeSockets, ...(pending ? [sockets] : [])])
        for (const list of Object.values(kept)) for (const socket of list ?? []) socket.destroy();
  }
}
