import { once } from "node:events";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { ClientId } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import {
  clientSocketPath,
  decodeServerFrame,
  encodeFrame,
  protocolVersion,
  subprotocol,
  type ClientMessage,
  type LeasedTask,
  type LeaseKey,
  type ServerMessage,
} from "../../shared/wire/protocol.ts";
import { version } from "../../shared/version.ts";
import { until } from "./processes.ts";

type Hello = Extract<ClientMessage, { type: "hello" }>;

/** A client without behaviour of its own, which a test steers over a real socket with real frames. */
export class RawClient {
  readonly socket: WebSocket;
  /** The identity of the hello; from the welcome on, the one that the server gave. */
  identity: Identity | undefined;
  readonly received: ServerMessage[] = [];
  onMessage: ((message: ServerMessage) => void) | undefined;
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(
    url: string,
    options: { as?: Identity | undefined; origin?: string; headers?: Record<string, string> } = {},
  ) {
    this.identity = options.as;
    this.socket = new WebSocket(url.replace("http", "ws") + clientSocketPath, subprotocol, {
      perMessageDeflate: false,
      ...(options.origin && { origin: options.origin }),
      ...(options.headers && { headers: options.headers }),
    });
    this.socket.binaryType = "nodebuffer";
    this.socket.on("message", (data: Buffer) => {
      const messages = decodeServerFrame(new Uint8Array(data));
      for (const message of messages) if (message.type === "welcome") this.identity = message.identity;
      this.received.push(...messages);
      for (const message of messages) this.onMessage?.(message);
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code: number, reason: Buffer) => resolve({ code, reason: String(reason) })),
    );
    onTestFinished(() => this.socket.terminate());
  }

  /** The id that the server gave. */
  get id(): ClientId {
    if (!this.identity) throw new Error("The client has no identity before its welcome.");
    return this.identity.client;
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    return this;
  }

  send(...messages: ClientMessage[]): void {
    this.socket.send(encodeFrame(messages));
  }

  hello(overrides: Partial<Hello> = {}): void {
    this.send({
      type: "hello",
      protocol: protocolVersion,
      version,
      ...(this.identity && { identity: this.identity }),
      kind: "node",
      name: "raw",
      slots: 1,
      memoryMb: 1024,
      webgpu: false,
      held: [],
      cached: [],
      ...overrides,
    });
  }

  /** Connects, says hello and waits for the welcome. */
  async join(overrides: Partial<Hello> = {}): Promise<this> {
    await this.opened();
    this.hello(overrides);
    await this.next("welcome");
    return this;
  }

  /** The oldest message of a type that the test has not taken yet. */
  async next<T extends ServerMessage["type"]>(type: T): Promise<Extract<ServerMessage, { type: T }>> {
    const at = await until(() => {
      const found = this.received.findIndex((message) => message.type === type);
      return found < 0 ? undefined : { found };
    });
    return this.received.splice(at.found, 1)[0] as Extract<ServerMessage, { type: T }>;
  }

  /** Asks for tasks and takes the next lease message. */
  async lease(tasks = 1): Promise<{ job: LeaseKey["job"]; tasks: LeasedTask[] }> {
    this.send({ type: "want", tasks, slots: 1 });
    const lease = await this.next("lease");
    return { job: lease.job.id, tasks: lease.tasks };
  }

  finish(job: LeaseKey["job"], task: LeasedTask, output: Uint8Array = new Uint8Array([1])): void {
    const { index, attempt } = task;
    this.send({
      type: "results",
      job,
      results: [{ index, attempt, elapsedMs: 1, outcome: { state: "done", output } }],
    });
  }
}
