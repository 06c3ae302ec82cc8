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

type Lease = Extract<ServerMessage, { type: "lease" }>;

/** What a simulated client tells of itself. */
export interface Reports {
  welcomed(client: SimulatedClient): void;
  /** Leases came, so many ms after they were asked for. */
  leased(client: SimulatedClient, lease: Lease, waitedMs: number): void;
  /** The connection ended without having been asked to. */
  lost(client: SimulatedClient, why: string): void;
}

const output = new Uint8Array(100);

/** A client to the server: real frames on a real socket. Its computing is a date in somebody's calendar. */
export class SimulatedClient {
  readonly #socket: WebSocket;
  readonly #reports: Reports;
  #askedAt = 0;
  #leaving = false;

  constructor(url: string, localAddress: string, reports: Reports) {
    this.#reports = reports;
    this.#socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
      perMessageDeflate: false,
      localAddress,
    });
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("open", () => this.#send(hello()));
    this.#socket.on("message", (data: Buffer) => this.#received(data));
    this.#socket.on("error", (error) => this.#lost(error.message));
    this.#socket.on("close", (code: number) => this.#lost(`close code ${code}`));
  }

  want(): void {
    this.#askedAt = performance.now();
    this.#send({ type: "want", tasks: 1, slots: 1 });
  }

  /** Delivers a task, and so has room for the next. */
  finish({ job, tasks }: Lease, elapsedMs: number): void {
    this.#askedAt = performance.now();
    const results = tasks.map(({ index, attempt }) => ({
      index,
      attempt,
      elapsedMs,
      outcome: { state: "done" as const, output },
    }));
    this.#send({ type: "results", job: job.id, results }, { type: "want", tasks: 1, slots: 1 });
  }

  /** Closes the tab, or pulls the plug. */
  leave(how: "goodbye" | "vanish"): void {
    this.#leaving = true;
    if (how === "vanish") return this.#socket.terminate();
    this.#send({ type: "goodbye" });
    this.#socket.close(1000);
  }

  #send(...messages: ClientMessage[]): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(messages));
  }

  #received(data: Buffer): void {
    for (const message of decodeServerFrame(new Uint8Array(data)))
      if (message.type === "welcome") this.#reports.welcomed(this);
      else if (message.type === "lease")
        this.#reports.leased(this, message, performance.now() - this.#askedAt);
      else if (message.type === "refuse") this.#lost(message.message);
  }

  #lost(why: string): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#reports.lost(this, why);
  }
}

function hello(): ClientMessage {
  return {
    type: "hello",
    protocol: protocolVersion,
    version,
    client: makeClientId(randomBytes),
    kind: "node",
    name: "simulated",
    slots: 1,
    memoryMb: 1024,
    webgpu: false,
    held: [],
    cached: [],
  };
}
