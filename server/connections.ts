import type { Server } from "node:http";
import type { Socket } from "node:net";
import { PlatformError } from "../shared/errors.ts";
import type { ServerOptions } from "./options.ts";

/** Bytes that went through connections. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Keeps the open connections of a server, upgraded ones included, and counts their bytes. */
export function trackConnections(http: Server): { open: ReadonlySet<Socket>; traffic: () => Traffic } {
  const open = new Set<Socket>();
  let [bytesIn, bytesOut] = [0, 0];
  // A shared listener: a closure for each connection, with the wrapper of `once`, takes 250 bytes.
  function forget(this: Socket): void {
    open.delete(this);
    bytesIn += this.bytesRead;
    bytesOut += this.bytesWritten;
  }
  http.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", forget);
  });
  const traffic = (): Traffic => {
    const sum = { bytesIn, bytesOut };
    for (const socket of open) {
      sum.bytesIn += socket.bytesRead;
      sum.bytesOut += socket.bytesWritten;
    }
    return sum;
  };
  return { open, traffic };
}

/** @throws PlatformError BAD_OPTION when the port is taken, or the host is none of this machine */
export function listen(http: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      const taken =
        error.code === "EADDRINUSE"
          ? "another program listens there; choose --port or stop it"
          : error.message;
      reject(new PlatformError("BAD_OPTION", `Cannot listen on ${host} port ${port}: ${taken}.`, error));
    });
    http.listen(port, host, resolve);
  });
}
