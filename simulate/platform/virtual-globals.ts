import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import { virtualisePostgres, type ReachableDatabase } from "./virtual-postgres.ts";
import type { Step, VirtualTime } from "./virtual-time.ts";

/** The event loop and the randomness of the world that runs in this thread. */
interface Running {
  readonly time: VirtualTime;
  readonly random: () => number;
  /** The database that servers share. */
  readonly database?: ReachableDatabase;
}

let running: Running | undefined;

/** Node's own function, for code that is no part of the world. */
export const realImmediate = globalThis.setImmediate;
const realNow = performance.now.bind(performance);

/**
 * Gives this thread for good the clocks, timers and randomness of simulated worlds, so that the code of servers, clients and customers
 * runs as it is. The thread must do nothing else. (FoundationDB and TigerBeetle do this at link time.)
 */
export function virtualiseThread(): void {
  const set = (delayMs: number, label: string, callback: () => void): VirtualTimer =>
    new VirtualTimer(world().time, delayMs, label, callback);
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.close();
  };
  Object.assign(globalThis, {
    setTimeout: (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      set(Math.max(1, ms), "timer", () => callback(...args)),
    setImmediate: (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
      set(0, "immediate", () => callback(...args)),
    setInterval: (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const timer = set(Math.max(1, ms), "interval", () => {
        timer.refresh();
        callback(...args);
      });
      return timer;
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  });
  performance.now = () => (running ? running.time.read() : realNow());
  Date.now = () => world().time.wall();
  Math.random = () => world().random();
  AbortSignal.timeout = (ms: number) => {
    const controller = new AbortController();
    set(ms, "timer", () => controller.abort(new DOMException("The operation timed out.", "TimeoutError")));
    return controller.signal;
  };
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => Math.floor(Math.random() * 256)));
  Object.assign(crypto, {
    randomBytes: bytes,
    randomInt: (from: number, to?: number) =>
      to === undefined ? Math.floor(Math.random() * from) : from + Math.floor(Math.random() * (to - from)),
    randomUUID: () => bytes(16).toString("hex"),
  });
  Object.assign(timers, { setTimeout: sleep });
  virtualisePostgres(() => world().database!);
  syncBuiltinESMExports();
}

/** Makes a world the one whose clock this thread has. */
export function enterWorld(entered: Running | undefined): void {
  running = entered;
}

function world(): Running {
  if (!running) throw new Error("no world runs in this thread");
  return running;
}

function sleep(ms: number, value?: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => {
      timer.close();
      reject(signal?.reason as Error);
    };
    const timer = new VirtualTimer(world().time, Math.max(1, ms), "timer", () => {
      signal?.removeEventListener("abort", refuse);
      resolve(value);
    });
    if (signal?.aborted) refuse();
    else signal?.addEventListener("abort", refuse, { once: true });
  });
}

/** The used part of `NodeJS.Timeout`. */
class VirtualTimer {
  readonly #time: VirtualTime;
  readonly #process: VirtualTime["current"];
  readonly #delayMs: number;
  readonly #label: string;
  readonly #callback: () => void;
  #step: Step;

  constructor(time: VirtualTime, delayMs: number, label: string, callback: () => void) {
    this.#time = time;
    this.#process = time.current;
    this.#delayMs = delayMs;
    this.#label = label;
    this.#callback = callback;
    this.#step = this.#schedule();
  }

  refresh(): this {
    this.close();
    this.#step = this.#schedule();
    return this;
  }

  close(): void {
    this.#step.run = undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }

  #schedule(): Step {
    return this.#time.schedule(this.#process, this.#delayMs, this.#label, this.#callback);
  }
}
