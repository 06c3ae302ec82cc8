import { arbiterChannel, type FromArbiter, type ToArbiter } from "./arbiter-messages.ts";
import type { ElectionHandlers } from "./election-handlers.ts";

/** Time between two messages of a tab to its arbiter, by which a crash is found. */
const pokeMs = 10_000;
const answerMs = 2_000;

/**
 * A tab's part in an election by shared worker. Chromium runs a shared worker in the process of the tab that started it. When that tab
 * crashes, the worker is gone without notice, so the other tabs poke the worker, and start a new one when it does not answer.
 */
export class ArbiterMember {
  readonly #handlers: ElectionHandlers;
  readonly #poking: ReturnType<typeof setInterval>;
  readonly #channel = new BroadcastChannel(arbiterChannel);
  #port: MessagePort;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #elected = false;
  #left = false;

  /** @throws DOMException where the browser refuses shared workers */
  constructor(handlers: ElectionHandlers) {
    this.#handlers = handlers;
    this.#port = this.#connect("join");
    this.#poking = setInterval(() => this.#poke(), pokeMs);
    this.#channel.addEventListener("message", () => this.#poke());
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    clearInterval(this.#poking);
    clearTimeout(this.#silence);
    this.#channel.close();
    this.#tell("leave");
    this.#port.close();
  }

  #connect(how: ToArbiter): MessagePort {
    const worker = new SharedWorker("arbiter.js", { name: "manyhands" });
    const { port } = worker;
    worker.addEventListener("error", () => this.#alone(port));
    port.addEventListener("message", ({ data }: MessageEvent<FromArbiter>) => {
      if (!this.#left && port === this.#port) this.#hear(data);
    });
    port.start();
    port.postMessage(how);
    return port;
  }

  #tell(message: ToArbiter): void {
    this.#port.postMessage(message);
  }

  #hear(message: FromArbiter): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    if (message === "here") return;
    if (message === "alive?") return this.#tell("alive");
    if (this.#elected === (message === "elected")) return;
    this.#elected = message === "elected";
    if (this.#elected) this.#handlers.elected(true);
    else this.#handlers.deposed();
  }

  #poke(): void {
    this.#tell("poke");
    this.#silence ??= setTimeout(() => {
      this.#silence = undefined;
      this.#port.close();
      this.#port = this.#connect(this.#elected ? "rejoin" : "join");
    }, answerMs);
  }

  /** Elects this tab when the worker's script cannot be fetched: every tab then computes by itself. */
  #alone(port: MessagePort): void {
    if (this.#left || port !== this.#port) return;
    this.leave();
    if (!this.#elected) this.#handlers.elected(false);
  }
}
