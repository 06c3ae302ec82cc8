import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import * as v from "valibot";
import type { JobId } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import { submitSubprotocol, submittedSchema } from "../shared/rest.ts";
import type { HttpClient } from "./http.ts";

/** A server that does not answer in this time is asked in another way. */
const answerMs = 60_000;
/** A line that could not be opened, or broke, is not tried again before this: a proxy may not let it through. */
const againMs = 10_000;

/**
 * A WebSocket for packs of tasks that come one by one (SPEC.md [LINE-1]): a request each takes both sides longer than the task. It is
 * a short cut and no more: whatever goes wrong, `submit` says that it does not know, and the pack is posted.
 */
export class SubmitLine {
  readonly #http: HttpClient;
  readonly #id: JobId;
  #socket: WebSocket | undefined;
  #network: Socket | undefined;
  #opening = false;
  #notBefore = -Infinity;
  #closed = false;
  /** Told whether the pack under way is on the server's disk. */
  #answer: ((isStored: boolean) => void) | undefined;

  constructor(http: HttpClient, id: JobId) {
    this.#http = http;
    this.#id = id;
  }

  /** Whether a pack went through; false: nobody knows, send it again. The first calls open the line meanwhile. */
  submit(pack: Uint8Array): Promise<boolean> | false {
    if (pack.length > limits.submitLineBytes || this.#closed) return false;
    const socket = this.#socket;
    if (!socket) {
      this.#open().catch(() => this.#broken());
      return false;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), answerMs);
      this.#answer = (isStored) => {
        clearTimeout(timer);
        this.#network?.unref();
        resolve(isStored);
      };
      this.#network?.ref();
      socket.send(pack);
    });
  }

  /** Ends the line; what is under way counts as not known. */
  readonly close = (): void => {
    this.#closed = true;
    this.#socket?.terminate();
  };

  async #open(): Promise<void> {
    if (this.#opening || performance.now() < this.#notBefore) return;
    this.#opening = true;
    const address = await this.#http.socketAddress(`api/jobs/${this.#id}/tasks`);
    if (!address) return this.close();
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(address.url, submitSubprotocol, {
      headers: address.headers,
      perMessageDeflate: false,
      handshakeTimeout: 10_000,
      maxPayload: 4096,
      finishRequest: (request) => {
        // Open between two tasks, it is no reason for a program to go on.
        request.once("socket", (network) => (this.#network = network).unref());
        request.end();
      },
    });
    const { closed } = this.#http;
    closed.addEventListener("abort", this.close, { once: true });
    socket.on("open", () => {
      this.#opening = false;
      this.#socket = socket;
      if (this.#closed || closed.aborted) this.close();
    });
    socket.on("message", (answer: Buffer) => (isSubmitted(answer) ? this.#settle(true) : socket.terminate()));
    // `close` follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      closed.removeEventListener("abort", this.close);
      this.#broken();
    });
  }

  #broken(): void {
    this.#opening = false;
    this.#socket = undefined;
    this.#notBefore = performance.now() + againMs;
    this.#settle(false);
  }

  #settle(isStored: boolean): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(isStored);
  }
}

function isSubmitted(answer: Buffer): boolean {
  try {
    return v.is(submittedSchema, JSON.parse(answer.toString()));
  } catch {
    return false;
  }
}
