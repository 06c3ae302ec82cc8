import type { Logger } from "pino";
import type { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { makeIdentity } from "./identity.ts";
import {
  protocolVersion,
  type ClientMessage,
  type ServerMessage,
  type TaskOutcome,
} from "../../shared/wire/protocol.ts";

/**
 * A client without a socket, in the process of the platform, that computes each task at once. The kernel gets an input that is
 * a blob as its name.
 */
export class TestClient {
  readonly #identity = makeIdentity();
  readonly id: ClientId = this.#identity.client;
  readonly ticket = `ticket-${this.id}`;
  readonly #services: ReturnType<LocalPlatform["connectionServices"]>;
  readonly #kernel: (input: unknown, index: number) => unknown;
  /** Whether the server ended the connection. */
  closed = false;
  /** Whether the client computes and reports its tasks. */
  answering: boolean;

  constructor(
    platform: LocalPlatform,
    log: Logger,
    kernel: (input: unknown, index: number) => unknown = (input) => input,
    { trusted = true, answering = true, want = 1000 } = {},
  ) {
    this.answering = answering;
    this.#services = platform.connectionServices(log);
    this.#kernel = kernel;
    const connection = {
      send: (message: ServerMessage) => this.#receive(message),
      refuse: () => (this.closed = true),
      bye: () => (this.closed = true),
    };
    this.leave = () => this.#services.onClose(this.id, connection, "refused");
    this.#services.onJoin({
      hello: {
        type: "hello",
        protocol: protocolVersion,
        version: "test",
        kind: "node",
        name: "bench 7",
        slots: 2,
        memoryMb: 4096,
        webgpu: false,
        held: [],
        cached: [],
      },
      identity: this.#identity,
      trusted,
      cohort: this.id,
      address: "127.0.0.1",
      ticket: this.ticket,
      connection,
    });
    this.want(want);
  }

  /** Asks to hold so many tasks. */
  want(tasks: number): void {
    this.send({ type: "want", tasks, slots: 2 });
  }

  send(message: Parameters<ReturnType<LocalPlatform["connectionServices"]>["onMessage"]>[1]): void {
    this.#services.onMessage(this.id, message);
  }

  /** Ends the connection for good. */
  readonly leave: () => void;

  /** Precache messages and their ends, oldest first. */
  readonly asked: Extract<ServerMessage, { type: "precache" | "precacheEnd" }>[] = [];

  /** Reports progress of a precache. */
  precached(report: Omit<Extract<ClientMessage, { type: "precached" }>, "type">): void {
    this.#services.onMessage(this.id, { type: "precached", ...report });
  }

  /** Sends a log line of a task. */
  log(job: Parameters<LocalPlatform["logs"]>[0], index: number, line: string): void {
    this.#services.onMessage(this.id, { type: "log", job, index, lines: [line] });
  }

  /** Reports progress of a task's first attempt. */
  progress(job: Parameters<LocalPlatform["logs"]>[0], index: number, fraction: number): void {
    this.#services.onMessage(this.id, { type: "progress", progress: [{ job, index, attempt: 1, fraction }] });
  }

  /** Tasks that it was given and has not computed. */
  readonly held: { readonly job: JobId; readonly index: number; readonly attempt: number }[] = [];

  /** Reports outputs for the tasks that it holds. */
  deliver(output: (index: number) => Value): void {
    for (const { job, index, attempt } of this.held.splice(0)) {
      const outcome = { state: "done" as const, output: encodeValue(output(index)) };
      this.send({ type: "results", job, results: [{ index, attempt, elapsedMs: 1, outcome }] });
    }
  }

  #receive(message: ServerMessage): void {
    if (message.type === "lease" && !this.answering)
      for (const { index, attempt } of message.tasks) this.held.push({ job: message.job.id, index, attempt });
    if (message.type === "precache" || message.type === "precacheEnd") this.asked.push(message);
    if (message.type !== "lease" || !this.answering) return;
    const results = message.tasks.map(({ index, attempt, input }) => ({
      index,
      attempt,
      elapsedMs: 1,
      outcome: this.#outcome(input, index),
    }));
    // A real client's answer comes over a socket, never inside the server's own call.
    setImmediate(() => this.#services.onMessage(this.id, { type: "results", job: message.job.id, results }));
  }

  #outcome(input: Uint8Array | object, index: number): TaskOutcome {
    try {
      const value = input instanceof Uint8Array ? decodeValue(input) : input;
      return { state: "done", output: encodeValue(this.#kernel(value, index) as Value) };
    } catch (error) {
      return { state: "failed", failure: { kind: "error", message: String(error), stack: "at kernel.js:1" } };
    }
  }
}
