import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import * as v from "valibot";
import type { JobId } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import { submitSubprotocol, submittedSchema } from "../shared/wire/rest/submission.ts";
import type { HttpClient } from "./http.ts";

/** Time limits of a submit socket. */
interface SubmitSocketTimes {
  /**
   * Longest silence of a submit socket, also without a pack under way: a router may have forgotten the connection, and the next
   * pack would wait until that shows. A slow server gets packs by POST instead, which waits longer.
   */
  readonly silenceMs: number;
  /**
   * Pause after a submit socket could not be opened, broke, or did not answer; doubled with each successive failure. Some
   * proxies let no WebSocket through, and some let it be opened but pass no messages.
   */
  readonly againMs: number;
}

const usualTimes: SubmitSocketTimes = { silenceMs: 15_000, againMs: 10_000 };
/** The pause grows up to 2⁶ times: some ten minutes. */
const mostDoublings = 6;
const handshakeMs = 10_000;
const answerBytes = 4096;

type State =
  | { readonly state: "none"; readonly notBefore: number }
  | { readonly state: "opening" }
  | { readonly state: "open"; readonly socket: WebSocket; readonly silence: NodeJS.Timeout }
  | { readonly state: "closed" };

/**
 * A WebSocket for packs of tasks that come one by one (SPEC.md [LINE-1]), for which a request each takes longer than the task.
 * After any failure `submit` reports the pack as not known to be stored, and the caller posts it.
 */
export class SubmitSocket {
  readonly #http: HttpClient;
  readonly #id: JobId;
  readonly #times: SubmitSocketTimes;
  #state: State = { state: "none", notBefore: -Infinity };
  /** Successive failures. */
  #failures = 0;
  #network: Socket | undefined;
  /** Called with whether the pack under way is on the server's disk. */
  #answer: ((isStored: boolean) => void) | undefined;

  constructor(http: HttpClient, id: JobId, times = usualTimes) {
    this.#http = http;
    this.#id = id;
    this.#times = times;
    http.closed.addEventListener("abort", this.close, { once: true });
  }

  /**
   * Sends a pack, one at a time.
   * @returns whether the pack is on the server's disk; false: unknown, so send it again. The first calls only open the submit
   * socket.
   */
  submit(pack: Uint8Array): Promise<boolean> | false {
    if (this.#state.state === "none" && performance.now() >= this.#state.notBefore) this.#open();
    if (this.#state.state !== "open" || pack.length > limits.submitSocketBytes) return false;
    const { socket, silence } = this.#state;
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#network?.ref();
      silence.refresh();
      socket.send(pack);
    });
  }

  /** Ends the submit socket for good; a pack under way counts as unknown. */
  readonly close = (): void => {
    this.#http.closed.removeEventListener("abort", this.close);
    this.#end({ state: "closed" });
  };

  #open(): void {
    const opening: State = { state: "opening" };
    this.#state = opening;
    this.#connect(opening).catch(() => this.#lost(opening));
  }

  async #connect(opening: State): Promise<void> {
    const address = await this.#http.socketAddress(`api/jobs/${this.#id}/tasks`);
    if (!address) return this.close();
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(address.url, submitSubprotocol, {
      headers: address.headers,
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
      maxPayload: answerBytes,
      finishRequest: (request) => {
        // An idle submit socket must not keep the program alive.
        request.once("socket", (network) => (this.#network = network).unref());
        request.end();
      },
    });
    socket.on("open", () => this.#opened(opening, socket));
    socket.on("message", (answer: Buffer) => this.#answered(socket, answer));
    // `close` follows every `error`.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#lost(opening, socket));
  }

  #opened(opening: State, socket: WebSocket): void {
    if (this.#state !== opening) return socket.terminate();
    // For a name with two addresses the connection may have another handle than the first.
    this.#network?.unref();
    const silence = setTimeout(() => this.#silent(), this.#times.silenceMs).unref();
    this.#state = { state: "open", socket, silence };
  }

  #answered(socket: WebSocket, answer: Buffer): void {
    if (this.#state.state !== "open" || this.#state.socket !== socket) return;
    if (!isSubmitted(answer)) return socket.terminate();
    this.#state.silence.refresh();
    this.#network?.unref();
    this.#failures = 0;
    this.#settle(true);
  }

  #silent(): void {
    if (this.#answer) this.#fail();
    else this.#end({ state: "none", notBefore: -Infinity });
  }

  /** Handles a submit socket that could not be opened, or broke. */
  #lost(opening: State, socket?: WebSocket): void {
    const isOpen = this.#state.state === "open" && this.#state.socket === socket;
    if (isOpen || this.#state === opening) this.#fail();
  }

  #fail(): void {
    const pauseMs = this.#times.againMs * 2 ** Math.min(this.#failures++, mostDoublings);
    this.#end({ state: "none", notBefore: performance.now() + pauseMs });
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
