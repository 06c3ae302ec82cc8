import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import * as v from "valibot";
import type { JobId } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import { submitSubprotocol, submittedSchema } from "../shared/rest.ts";
import type { HttpClient } from "./http.ts";

/**
 * A line on which nothing came for this long ends, asked or not: something between may have forgotten it without a word, and the
 * next pack would wait until that is found out. A server that is slow is asked by POST then, which waits longer.
 */
const silenceMs = 15_000;
/** A line that could not be opened, or broke, is not tried again before this: a proxy may not let it through. */
const againMs = 10_000;
const handshakeMs = 10_000;
const answerBytes = 4096;

type State =
  | { readonly state: "none"; readonly notBefore: number }
  | { readonly state: "opening" }
  | { readonly state: "open"; readonly socket: WebSocket; readonly silence: NodeJS.Timeout }
  | { readonly state: "closed" };

/**
 * A WebSocket for packs of tasks that come one by one (SPEC.md [LINE-1]): a request each takes both sides longer than the task. It is
 * a short cut and no more: whatever goes wrong, `submit` says that it does not know, and the pack is posted.
 */
export class SubmitLine {
  readonly #http: HttpClient;
  readonly #id: JobId;
  #state: State = { state: "none", notBefore: -Infinity };
  #network: Socket | undefined;
  /** Told whether the pack under way is on the server's disk. */
  #answer: ((isStored: boolean) => void) | undefined;

  constructor(http: HttpClient, id: JobId) {
    this.#http = http;
    this.#id = id;
  }

  /** Whether a pack is on the server's disk; false: nobody knows, send it again. The first calls open the line meanwhile. */
  submit(pack: Uint8Array): Promise<boolean> | false {
    if (this.#http.isClosed) this.close();
    if (this.#state.state === "none" && performance.now() >= this.#state.notBefore) this.#open();
    if (this.#state.state !== "open" || pack.length > limits.submitLineBytes) return false;
    const { socket, silence } = this.#state;
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#network?.ref();
      silence.refresh();
      socket.send(pack);
    });
  }

  /** Ends the line for good; what is under way counts as not known. */
  close(): void {
    this.#end({ state: "closed" });
  }

  #open(): void {
    this.#state = { state: "opening" };
    this.#connect().catch(() => this.#end({ state: "none", notBefore: performance.now() + againMs }));
  }

  async #connect(): Promise<void> {
    const address = await this.#http.socketAddress(`api/jobs/${this.#id}/tasks`);
    if (!address) return this.close();
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(address.url, submitSubprotocol, {
      headers: address.headers,
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
      maxPayload: answerBytes,
      finishRequest: (request) => {
        // Open between two tasks, it is no reason for a program to go on.
        request.once("socket", (network) => (this.#network = network).unref());
        request.end();
      },
    });
    socket.on("open", () => this.#opened(socket));
    socket.on("message", (answer: Buffer) => this.#answered(socket, answer));
    // `close` follows.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#lost(socket));
  }

  /** It could not be opened, or broke. */
  #lost(socket: WebSocket): void {
    const { state } = this.#state;
    if (state === "opening" || (state === "open" && this.#state.socket === socket))
      this.#end({ state: "none", notBefore: performance.now() + againMs });
  }

  #opened(socket: WebSocket): void {
    if (this.#state.state !== "opening") return socket.terminate();
    const silence = setTimeout(() => this.#end({ state: "none", notBefore: -Infinity }), silenceMs).unref();
    this.#state = { state: "open", socket, silence };
  }

  #answered(socket: WebSocket, answer: Buffer): void {
    if (this.#state.state !== "open") return;
    if (!isSubmitted(answer)) return socket.terminate();
    this.#state.silence.refresh();
    this.#network?.unref();
    this.#settle(true);
  }

  #end(next: State): void {
    const before = this.#state;
    if (before.state === "closed") return;
    this.#state = next;
    if (before.state === "open") {
      clearTimeout(before.silence);
      before.socket.terminate();
    }
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
