import { WebSocket, type ClientOptions } from "ws";
import type { Transport } from "../shared/client/ports.ts";
import { limits } from "../shared/limits.ts";
import { clientSocketPath, deflateSubprotocol, subprotocol } from "../shared/wire/protocol.ts";
import { FrameSender, inflateFrame, isDeflated } from "../system/deflated-frames.ts";

const connectTimeoutMs = 15_000;
/** Arriving bytes count as a sign of life at most this often. */
const heardEveryMs = 500;
/** The other side has this long to answer a close frame before the connection is cut. */
const closeTimeoutMs = 2_000;
/** Close code of a connection that was never opened, or broke (RFC 6455 §7.1.5). */
const abnormal = 1006;

/** Opens a WebSocket to the server at `server` (http or https, with a slash at its end). */
export const connect: Transport["connect"] = (handlers, server) => {
  const address = new URL(clientSocketPath.slice(1), server);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  let failure = "";
  let ended = false;
  const options: ClientOptions & { closeTimeout: number } = {
    // Compression of every frame costs tiny tasks more than it saves: large frames alone are compressed (SPEC.md [MILES-7]).
    perMessageDeflate: false,
    maxPayload: limits.frameBytes,
    handshakeTimeout: connectTimeoutMs,
    closeTimeout: closeTimeoutMs,
  };
  const socket = new WebSocket(address, [subprotocol, deflateSubprotocol], options);
  const frames = new FrameSender(socket, deflateSubprotocol);
  const end = (code: number, reason: string): void => {
    if (ended) return;
    ended = true;
    handlers.closed(code, reason);
  };
  socket.binaryType = "nodebuffer";
  socket.on("open", () => handlers.opened());
  socket.on("message", (data: Buffer, isBinary) => {
    // Text frames are not part of the protocol; the core answers an empty frame like any malformed frame.
    if (!ended) handlers.received(isBinary ? plainFrame(data) : new Uint8Array());
  });
  // Frames and pings are noticed when all of them is there, and a frame may be long on its way.
  socket.on("upgrade", ({ socket: network }) => {
    let heardAt = -Infinity;
    network.on("data", () => {
      const now = performance.now();
      if (ended || now - heardAt < heardEveryMs) return;
      heardAt = now;
      handlers.heard();
    });
  });
  socket.on("error", (error) => (failure = messageOf(error)));
  socket.on("unexpected-response", (request, response) => {
    failure = `the server answered ${response.statusCode} instead of opening a WebSocket`;
    request.destroy();
    end(abnormal, failure);
  });
  socket.on("close", (code, reason) =>
    end(code, reason.toString() || failure || "the connection was closed"),
  );
  return {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) frames.send(frame);
    },
    get bufferedBytes() {
      return frames.bufferedBytes;
    },
    close(code, reason) {
      // The close frame carries at most 123 bytes of reason (RFC 6455 §5.5).
      frames.close(code, reason.slice(0, 40));
      end(code, reason);
    },
  };
};

/** A damaged frame becomes an empty one. */
function plainFrame(frame: Uint8Array): Uint8Array {
  if (!isDeflated(frame)) return frame;
  try {
    return inflateFrame(frame);
  } catch {
    return new Uint8Array();
  }
}

/** The message of a failed connection. When all addresses of a name failed, the error itself has no message. */
function messageOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return error.message || (first instanceof Error ? first.message : error.name);
}
