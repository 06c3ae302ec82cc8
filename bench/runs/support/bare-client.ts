import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { makeClientId } from "../../../shared/ids.ts";
import {
  clientSocketPath,
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  subprotocol,
  type ClientMessage,
  type ServerMessage,
} from "../../../shared/protocol.ts";
import { version } from "../../../shared/version.ts";

export type Lease = Extract<ServerMessage, { type: "lease" }>;

/** What a run does with what a client's connection brings. */
interface Handlers {
  received(message: ServerMessage): void;
  /** The server refused the client, or the connection ended although the client had not left. */
  lost(why: string): void;
}

/** The connection of a client of one slot that computes nothing: real frames on a real socket. */
export class BareClient {
  readonly #socket: WebSocket;
  readonly #handlers: Handlers;
  #over = false;

  constructor(
    url: string,
    { token, localAddress }: { readonly token?: string; readonly localAddress?: string },
    handlers: Handlers,
  ) {
    this.#handlers = handlers;
    this.#socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
      perMessageDeflate: false,
      ...(localAddress !== undefined && { localAddress }),
    });
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("open", () => this.send(hello(token)));
    this.#socket.on("message", (data: Buffer) => this.#received(data));
    this.#socket.on("error", (error) => this.#lost(error.message));
    this.#socket.on("close", (code: number) => this.#lost(`close code ${code}`));
  }

  /** Sends messages in one frame; drops them when the connection is not open. */
  send(...messages: ClientMessage[]): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(messages));
  }

  /** Closes the tab, or pulls the plug. */
  leave(how: "goodbye" | "vanish"): void {
    this.#over = true;
    if (how === "vanish") return this.#socket.terminate();
    this.send({ type: "goodbye" });
    this.#socket.close(1000);
  }

  #received(data: Buffer): void {
    for (const message of decodeServerFrame(new Uint8Array(data)))
      if (message.type === "refuse") this.#lost(message.message);
      else this.#handlers.received(message);
  }

  #lost(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#handlers.lost(why);
  }
}

function hello(token: string | undefined): ClientMessage {
  return {
    type: "hello",
    protocol: protocolVersion,
    version,
    client: makeClientId(randomBytes),
    kind: "node",
    name: "bench",
    slots: 1,
    memoryMb: 1024,
    webgpu: false,
    held: [],
    cached: [],
    ...(token !== undefined && { token }),
  };
}
