import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import { makeClientId } from "../../../shared/ids.ts";
import {
  clientSocketPath,
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  subprotocol,
} from "../../../shared/protocol.ts";
import { version } from "../../../shared/version.ts";
import type { Server } from "./platform.ts";

/** Connects as a client of one slot and waits for a lease. */
export async function untilFirstLease({ url, token }: Server): Promise<void> {
  const socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
    perMessageDeflate: false,
  });
  const leased = Promise.withResolvers<void>();
  socket.on("error", leased.reject);
  socket.on("message", (frame: Buffer) => {
    for (const message of decodeServerFrame(new Uint8Array(frame)))
      if (message.type === "lease") leased.resolve();
      else if (message.type === "refuse") leased.reject(new Error(JSON.stringify(message)));
  });
  await once(socket, "open");
  const hello = {
    type: "hello" as const,
    protocol: protocolVersion,
    version,
    token,
    client: makeClientId(randomBytes),
    kind: "node" as const,
    name: "bench",
    slots: 1,
    memoryMb: 1024,
    webgpu: false,
    held: [],
    cached: [],
  };
  socket.send(encodeFrame([hello, { type: "want", tasks: 1, slots: 1 }]));
  await leased.promise;
  socket.close();
}
