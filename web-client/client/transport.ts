import type { Transport } from "../../shared/client/ports.ts";
import { clientSocketPath, subprotocol } from "../../shared/wire/protocol.ts";
import { takeEarlySocket } from "./early-socket.ts";

/** Close code of a connection that failed or broke (RFC 6455 §7.1.5). */
const abnormal = 1006;

/** Opens a WebSocket to a server. */
export const connect: Transport["connect"] = (handlers, server) => {
  let closed = false;
  const close = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    handlers.closed(code, reason);
  };
  let socket: WebSocket;
  try {
    const url = server.replace(/^http/, "ws") + clientSocketPath.slice(1);
    socket = takeEarlySocket(url) ?? new WebSocket(url, subprotocol);
  } catch (error) {
    queueMicrotask(() => close(abnormal, String(error)));
    return { send: () => undefined, bufferedBytes: 0, close };
  }
  socket.binaryType = "arraybuffer";
  if (socket.readyState === WebSocket.OPEN) queueMicrotask(() => handlers.opened());
  else socket.addEventListener("open", () => handlers.opened());
  socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    // The protocol has no text frames; the core treats an empty frame as any malformed one.
    if (!closed) handlers.received(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array());
  });
  socket.addEventListener("close", ({ code, reason }) =>
    close(code, reason || "the server could not be reached"),
  );
  return {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame as Uint8Array<ArrayBuffer>);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    close(code, reason) {
      // The close frame carries at most 123 bytes of reason (RFC 6455 §5.5).
      socket.close(code, reason.slice(0, 40));
      close(code, reason);
    },
  };
};
