import { Agent as HttpAgent, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";

/** A connection moved no byte in time: nobody at the other end, or nobody in between that passes it on. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";
  /** Whether the connection had come about: then the server may only be slow. */
  readonly wasConnected: boolean;

  constructor(ms: number, wasConnected: boolean) {
    super(wasConnected ? `nothing came for ${ms / 1000} s` : `no connection within ${ms / 1000} s`);
    this.wasConnected = wasConnected;
  }
}

/** When a request is given up. */
export interface SilenceOptions {
  /** A connection that moves no byte for so long, while somebody waits for one, is given up. */
  readonly silenceMs: number;
  /** What the server may take longer than that for its answer, to work on what it was sent. */
  readonly workMs?: number | undefined;
  /** Called when the connection was given up. */
  readonly onSilence?: (() => void) | undefined;
}

/**
 * Gives a request up, or its reply, with a {@link SilenceError} when its connection stands still (SPEC.md [WAIT-2]). Node counts
 * bytes of both directions, also while one large write leaves piece by piece, and while the connection is being made.
 */
export function watchSilence(
  sent: ClientRequest,
  { silenceMs, workMs = 0, onSilence }: SilenceOptions,
): void {
  let reply: IncomingMessage | undefined;
  sent.once("socket", (socket) => {
    const silent = (): void => {
      // A reader that takes its time is not silence.
      if (reply && (reply.isPaused() || reply.readableLength > 0)) return void socket.setTimeout(silenceMs);
      onSilence?.();
      (reply ?? sent).destroy(new SilenceError(silenceMs, !socket.connecting));
    };
    socket.setTimeout(silenceMs);
    socket.on("timeout", silent);
    if (workMs > 0) sent.once("finish", () => reply ?? socket.setTimeout(silenceMs + workMs));
    sent.once("response", (begun) => {
      reply = begun;
      socket.setTimeout(silenceMs);
    });
    // The connection may be kept for another request, which has a watch of its own.
    sent.once("close", () => socket.off("timeout", silent));
  });
}

/** Connections that are kept for the next request. */
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

  /** Keeps none of the present ones: when one turned out to be dead, others that went the same way are as well. */
  renew(): void {
    const agents = [...this.#agents.values()];
    // Requests under way go on over them.
    this.#agents = new Map();
    for (const { freeSockets } of agents)
      for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}
