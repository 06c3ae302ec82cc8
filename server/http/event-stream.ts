import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import type { Snapshot } from "../../shared/wire/rest.ts";
import type { Call } from "./context.ts";

const periodMs = 1_000;
const maxListeners = 100;
/** Snapshots a listener may miss before its connection is closed; the browser connects again by itself. */
const maxMissed = 30;

interface Listener {
  readonly call: Call;
  missed: number;
}

/**
 * Snapshots about once a second as server-sent events (HTML Standard, §9.2). One computation serves all listeners and none
 * is made without one. A listener that is behind misses snapshots: each is the whole picture, so none is kept for it.
 */
export class EventStream {
  readonly #listeners = new Set<Listener>();
  readonly #snapshot: () => Promise<Snapshot>;
  readonly #log: Logger;
  #running = false;

  constructor(snapshot: () => Promise<Snapshot>, log: Logger) {
    this.#snapshot = snapshot;
    this.#log = log;
  }

  /** @throws PlatformError TOO_MANY */
  add(call: Call): void {
    if (this.#listeners.size >= maxListeners)
      throw new PlatformError("TOO_MANY", `There are ${maxListeners} listeners to events already.`);
    const { res, signal } = call;
    res.setTimeout(0);
    res.status(200).set({
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    });
    res.flushHeaders();
    const listener = { call, missed: 0 };
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => {
      this.#listeners.delete(listener);
      res.end();
    });
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#listeners.size > 0) {
      const started = performance.now();
      try {
        this.#send(`data: ${JSON.stringify(await this.#snapshot())}\n\n`);
        await this.#dropRevoked();
      } catch (error) {
        this.#log.error({ err: error }, "no snapshot for the listeners");
      }
      const rest = Math.max(0, periodMs - (performance.now() - started));
      await new Promise((resolve) => setTimeout(resolve, rest).unref());
    }
    this.#running = false;
  }

  #send(event: string): void {
    for (const listener of this.#listeners) {
      const { res } = listener.call;
      if (!res.writableNeedDrain) {
        listener.missed = 0;
        res.write(event);
      } else if (++listener.missed > maxMissed) this.#drop(listener);
    }
  }

  async #dropRevoked(): Promise<void> {
    for (const listener of this.#listeners) if (!(await listener.call.stillAllowed())) this.#drop(listener);
  }

  #drop(listener: Listener): void {
    this.#listeners.delete(listener);
    listener.call.res.destroy();
  }
}
