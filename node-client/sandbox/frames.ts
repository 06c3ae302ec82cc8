import type { Endpoint } from "comlink";
import type { Sandbox } from "../../shared/client/ports.ts";
import type { KernelRunner } from "../../shared/client/sandbox/runner.ts";

/**
 * Messages on the IPC channel between a client and one sandbox process. Two comlink channels share it, because comlink cannot
 * hand a MessagePort to another process: `runner` is exposed by the child, `host` by the parent.
 */
export type Frame =
  | readonly ["runner" | "host", unknown]
  /** Child to parent, once: the runner is loaded and all access is given up. */
  | readonly ["ready"]
  /** Child to parent: an uncaught exception; the process is of no more use. */
  | readonly ["fatal", string];

export interface FrameEndpoint {
  readonly endpoint: Endpoint;
  /** Passes a message of this channel to comlink. */
  deliver(message: unknown): void;
}

/** A comlink endpoint on the shared IPC channel. */
export function frameEndpoint(channel: "runner" | "host", post: (frame: Frame) => void): FrameEndpoint {
  const listeners = new Set<(event: { data: unknown; origin: string }) => void>();
  return {
    endpoint: {
      postMessage: (message: unknown) => post([channel, message]),
      addEventListener: (_type, listener) => void listeners.add(listener as () => void),
      removeEventListener: (_type, listener) => void listeners.delete(listener as () => void),
    },
    deliver(message) {
      for (const listener of listeners) listener({ data: message, origin: channel });
    },
  };
}

/** The runner of a sandbox process, as the client calls it. */
export type ProcessRunner = Pick<Sandbox, "load"> & Pick<KernelRunner, "run">;
