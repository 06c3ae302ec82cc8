import type { Transport } from "../../shared/client/ports.ts";
import { clientSocketPath, deflateSubprotocol, subprotocol } from "../../shared/wire/protocol.ts";
import { FrameQueue } from "./deflated-frames.ts";
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
  const incoming = new FrameQueue();
  const outgoing = new FrameQueue();
  try {
    const url = server.replace(/^http/, "ws") + clientSocketPath.slice(1);
    socket = takeEarlySocket(url) ?? new WebSocket(url, [subprotocol, deflateSubprotocol]);
  } catch (error) {
    queueMicrotask(() => close(abnormal, String(error)));
    return { send: () => undefined, bufferedBytes: 0, close };
  }
  socket.binaryType = "arraybuffer";
  if (socket.readyState === WebSocket.OPEN) queueMicrotask(() => handlers.opened());
  else socket.addEventListener("open", () => handlers.opened());
  socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    // The protocol has no text frames; the core treats an empty frame as any malformed one.
    const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array();
    incoming.inflate(frame, (plain) => {
      if (!closed) handlers.received(plain);
    });
  });
  socket.addEventListener("close", ({ code, reason }) =>
    close(code, reason || "the server could not be reached"),
  );
  return {
    send(frame) {
      const isBehind = socket.bufferedAmount > 0 && socket.protocol === deflateSubprotocol;
      outgoing.deflate(frame as Uint8Array<ArrayBuffer>, isBehind, (bytes) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      });
    },
    get bufferedBytes() {
      return socket.bufferedAmount + outgoing.waitingBytes;
    },
    close(code, reason) {
      // The close frame carries at most 123 bytes of reason (RFC 6455 §5.5).
      socket.close(code, reason.slice(0, 40));
      close(code, reason);
    },
  };
};
