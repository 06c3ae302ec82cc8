import { randomBytes } from "node:crypto";
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

/** Joins a server as a client does, for the ticket that blob transfers carry. */
export async function joinForTicket(
  url: string,
  token: string,
): Promise<{ ticket: string; leave: () => void }> {
  const socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => {
      const client = makeClientId(randomBytes);
      const machine = { kind: "node", name: "bench", slots: 1, memoryMb: 1024, webgpu: false } as const;
      const hello = { type: "hello", protocol: protocolVersion, version, client, token } as const;
      socket.send(encodeFrame([{ ...hello, ...machine, held: [], cached: [] }]));
    });
    socket.on("message", (data: Buffer) => {
      for (const message of decodeServerFrame(new Uint8Array(data)))
        if (message.type === "welcome") resolve({ ticket: message.ticket, leave: () => socket.terminate() });
        else if (message.type === "refuse") reject(new Error(message.message));
    });
  });
}
