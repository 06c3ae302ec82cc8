import type { Endpoint } from "comlink";
import type { Sandbox, SandboxHost } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import type { KernelRunner } from "../../shared/client/sandbox/runner.ts";

/**
 * Messages on the IPC channel between a client and one sandbox process. Two comlink channels share it, because comlink cannot
 * hand a MessagePort to another process: `runner` is exposed by the child, `host` by the parent.
 */
export type Frame =
  /** A message, and the number of its large arrays, which are on the pipe before the message is on the channel. */
  | readonly ["runner" | "host", unknown, number?]
  /** Child to parent, once: the runner is loaded and all access is given up. */
  | readonly ["ready"]
  /** Child to parent: an uncaught exception; the process is of no more use. */
  | readonly ["fatal", string];

export interface FrameEndpoint {
  readonly endpoint: Endpoint;
  /** Passes a message of this channel to comlink. */
  deliver(message: unknown): void;
}

/** Sends frames, and large arrays on a pipe of their own. */
export interface FrameSender {
  post(frame: Frame): void;
  sendLarge(bytes: Uint8Array): void;
}

/**
 * Arrays from this size on cross on the pipe: Node joins, parses and copies messages of IPC. An array of 128 KiB takes the client 0.65
 * times the processor time of IPC into a sandbox, 1.15 times out of it.
 */
export const largeBytes = 128 * 1024;

/** File descriptor of the pipe in the sandbox process. On it each array stands behind its length, one 64-bit number. */
export const pipeDescriptor = 4;
export const lengthBytes = 8;

// A kernel shares the realm of one end and may replace globals: these references are taken before any kernel runs.
const Bytes = Uint8Array;
const { isArray } = Array;
const { entries } = Object;

/** Stands in a message for a large array. */
const placeholder = { type: "LARGE" };

/** A comlink endpoint on the shared IPC channel. */
export function frameEndpoint(channel: "runner" | "host", sender: FrameSender): FrameEndpoint {
  const listeners = new Set<(event: { data: unknown; origin: string }) => void>();
  return {
    endpoint: {
      postMessage(message: unknown) {
        let count = 0;
        const rest = replaced(message, (value) => {
          if (!(value instanceof Bytes) || value.length < largeBytes) return value;
          sender.sendLarge(value);
          count++;
          return placeholder;
        });
        sender.post(count > 0 ? [channel, rest, count] : [channel, rest]);
      },
      addEventListener: (_type, listener) => void listeners.add(listener as () => void),
      removeEventListener: (_type, listener) => void listeners.delete(listener as () => void),
    },
    deliver(message) {
      for (const listener of listeners) listener({ data: message, origin: channel });
    },
  };
}

/**
 * The message of a frame with its large arrays.
 * @param next - takes the next array from the pipe
 * @throws Error when the message has another number of places for arrays
 */
export function completed(message: unknown, count: number, next: () => Uint8Array): unknown {
  let left = count;
  const whole = replaced(message, (value) => (isPlaceholder(value) && left-- > 0 ? next() : value));
  if (left !== 0) throw new Error("a message without places for its arrays");
  return whole;
}

function isPlaceholder(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === placeholder.type;
}

/** Depth at which messages have arrays of bytes: `argumentList`, its element, `value`, `finished`, `bytes`. */
const depthOfBytes = 5;

/** A message with some values replaced. Only objects, and arguments of a call, are looked into: nothing else has large arrays. */
function replaced(value: unknown, replace: (value: unknown) => unknown, depth = depthOfBytes): unknown {
  const other = replace(value);
  if (other !== value || depth === 0 || typeof value !== "object" || value === null || value instanceof Bytes)
    return other;
  if (isArray(value) && depth !== depthOfBytes - 1) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [key, part] of entries(value)) {
    const kept = replaced(part, replace, depth - 1);
    if (kept !== part) (copy ??= isArray(value) ? (value.slice() as never) : { ...value })[key] = kept;
  }
  return copy ?? value;
}

/** The runner of a sandbox process, as the client calls it. */
export type ProcessRunner = Pick<Sandbox, "load"> & Pick<KernelRunner, "run">;

/** The client, as a sandbox process calls it. */
export interface ProcessHost extends SandboxHost {
  /**
   * Path of a file with all bytes of a blob, for the process to read. Undefined when the bytes are to be had by `data` alone.
   * @param done - paths that the process has read, which are files no longer
   */
  file(name: BlobName, done: readonly string[]): Promise<string | undefined>;
}
