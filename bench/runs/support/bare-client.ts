import { WebSocket } from "ws";
import {
  clientSocketPath,
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  subprotocol,
  type ClientMessage,
  type ServerMessage,
} from "../../../shared/wire/protocol.ts";
import { version } from "../../../shared/version.ts";

export type Lease = Extract<ServerMessage, { type: "lease" }>;

/** Handlers of a client's messages and of its end. */
interface Handlers {
  received(message: ServerMessage): void;
  /** The server refused the client, or the connection ended although the client had not left. */
  lost(why: string): void;
}

/** The connection of a client of one slot that computes nothing by itself. */
export interface BareClient {
  /** Sends messages in one frame; drops them when the connection is not open. */
  send(...messages: ClientMessage[]): void;
  /** Closes the tab, or pulls the plug. */
  leave(how: "goodbye" | "vanish"): void;
}

/** Connects a client and says hello: real frames on a real socket. */
export function connectClient(
  url: string,
  { token, localAddress }: { readonly token?: string; readonly localAddress?: string },
  handlers: Handlers,
): BareClient {
  const socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
    perMessageDeflate: false,
    ...(localAddress !== undefined && { localAddress }),
  });
  socket.binaryType = "nodebuffer";
  let isOver = false;
  const lost = (why: string): void => {
    if (isOver) return;
    isOver = true;
    handlers.lost(why);
  };
  const send = (...messages: ClientMessage[]): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(encodeFrame(messages));
  };
  socket.on("open", () => send(hello(token)));
  socket.on("message", (data: Buffer) => {
    for (const message of decodeServerFrame(new Uint8Array(data)))
      if (message.type === "refuse") lost(message.message);
      else handlers.received(message);
  });
  socket.on("error", (error) => lost(error.message));
  socket.on("close", (code: number) => lost(`close code ${code}`));
  return {
    send,
    leave(how) {
      isOver = true;
      if (how === "vanish") return socket.terminate();
      send({ type: "goodbye" });
      socket.close(1000);
    },
  };
}

function hello(token: string | undefined): ClientMessage {
  return {
    type: "hello",
    protocol: protocolVersion,
    version,
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
