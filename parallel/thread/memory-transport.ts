import { randomBytes } from "node:crypto";
import type { ClientConnection } from "../../server/sockets/connection.ts";
import type { ConnectionServices } from "../../server/sockets/client-gate.ts";
import type { Transport, TransportConnection, TransportHandlers } from "../../shared/client/ports.ts";
import type { PlatformError } from "../../shared/errors.ts";
import { makeClientId, type ClientId } from "../../shared/ids.ts";
import {
  decodeClientFrame,
  encodeFrame,
  type ClientMessage,
  type ServerMessage,
} from "../../shared/wire/protocol.ts";
import { version } from "../../shared/version.ts";

/** The client's watchdog hears this often from the server, which is in the same thread. */
const heartbeatMs = 15_000;
/** The only client, which needs no proof of its identity. */
export const ownIdentity = {
  client: makeClientId(randomBytes),
  secret: randomBytes(24).toString("base64url"),
};

/** Joins a client to a scheduler in the same thread by the protocol's frames, without a socket. */
export function createMemoryTransport(services: ConnectionServices): Transport {
  return { connect: (handlers) => new MemoryConnection(handlers, services) };
}

/** The two ends of a connection. */
class MemoryConnection implements TransportConnection, ClientConnection {
  readonly bufferedBytes = 0;
  readonly #handlers: TransportHandlers;
  readonly #services: ConnectionServices;
  readonly #heartbeat: NodeJS.Timeout;
  #client: ClientId | undefined;
  #queue: ServerMessage[] = [];
  #scheduled = false;
  #open = true;

  constructor(handlers: TransportHandlers, services: ConnectionServices) {
    this.#handlers = handlers;
    this.#services = services;
    this.#heartbeat = setInterval(() => this.#open && handlers.heard(), heartbeatMs).unref();
    setImmediate(() => this.#open && handlers.opened());
  }

  /** Takes a frame of the client in a turn of its own, so that neither end is called during its own call. */
  send(frame: Uint8Array): void;
  /** Takes a message of the server; messages of one turn leave as one frame. */
  send(message: ServerMessage): void;
  send(sent: Uint8Array | ServerMessage): void {
    if (!this.#open) return;
    if (sent instanceof Uint8Array) return void setImmediate(() => this.#take(sent));
    this.#queue.push(sent);
    this.#schedule();
  }

  close(code: number, reason: string): void {
    this.#end(code, reason);
  }

  refuse(error: PlatformError): void {
    this.#queue.push({ type: "refuse", ...error.toBody() });
    this.#flush();
    this.#end(error.closeCode, error.code);
  }

  bye(reason: string, afterMs: number): void {
    this.#queue.push({ type: "bye", reason, afterMs });
    this.#flush();
    this.#end(1012, reason);
  }

  #take(frame: Uint8Array): void {
    if (!this.#open) return;
    for (const message of decodeClientFrame(frame))
      if (message.type === "hello") this.#join(message);
      else if (this.#client) this.#services.onMessage(this.#client, message);
  }

  #join(hello: Extract<ClientMessage, { type: "hello" }>): void {
    const ticket = randomBytes(24).toString("base64url");
    const identity = ownIdentity;
    this.#client = identity.client;
    const joining = {
      hello,
      identity,
      connection: this,
      address: "127.0.0.1",
      ticket,
      trusted: true,
      cohort: identity.client,
    };
    const dropped = this.#services.onJoin(joining);
    // The welcome comes before the leases that the join caused.
    this.#queue.unshift({ type: "welcome", version, identity, ticket, heartbeatMs, dropped });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (!this.#open || this.#queue.length === 0) return;
    const frame = encodeFrame(this.#queue);
    this.#queue = [];
    this.#handlers.received(frame);
  }

  #end(code: number, reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#heartbeat);
    if (this.#client) this.#services.onClose(this.#client, this, "broken");
    this.#handlers.closed(code, reason);
  }
}
