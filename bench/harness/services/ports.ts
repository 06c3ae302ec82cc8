import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

const readyMs = 30_000;

/** Ports below those that systems give to outgoing connections, which could take a port before its program does. */
const firstPort = 10_000;
const lastPort = 32_000;
const tries = 100;

/** A port of this machine on which no program listens. */
export async function freePort(): Promise<number> {
  for (let left = tries; left > 0; left--) {
    const port = randomInt(firstPort, lastPort);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`Programs listen on all of ${tries} ports that were tried.`);
}

/** Waits until a program takes connections. @throws the last refusal after 30 s */
export async function untilListening(port: number): Promise<void> {
  const end = Date.now() + readyMs;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await wait(50);
    } finally {
      socket.destroy();
    }
  }
}
