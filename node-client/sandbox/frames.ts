import type { Endpoint } from "comlink";
import type { Sandbox } from "../../shared/client/ports.ts";
import type { KernelRunner } from "../../shared/client/sandbox/runner.ts";

/**
 * Messages on the IPC channel between a client and one sandbox process. Two comlink channels share it, because comlink cannot
 * hand a MessagePort to another process: `runner` is exposed by the child, `host` by the parent.
 */
export type Frame =
  | readonly ["runner" | "host", unknown]
  /** A large array of the next message begins, with its length. */
  | readonly ["large", number]
  /** The next bytes of the large array. */
  | readonly ["piece", Uint8Array]
  /** Child to parent, once: the runner is loaded and all access is given up. */
  | readonly ["ready"]
  /** Child to parent: an uncaught exception; the process is of no more use. */
  | readonly ["fatal", string];

export interface FrameEndpoint {
  readonly endpoint: Endpoint;
  /** Passes a message of this channel to comlink. */
  deliver(message: unknown): void;
}

/**
 * Arrays from this size on cross in pieces. Node reads a message in buffers of 64 KiB, joins them, and copies that, so a message of
 * 128 MiB leaves 384 MiB of garbage with its reader.
 */
export const largeBytes = 1024 * 1024;

// A kernel shares the realm of one end and may replace globals: these references are taken before any kernel runs.
const Bytes = Uint8Array;
const { isArray } = Array;
const { entries } = Object;

/** Stands in a message for a large array that came before it. */
const placeholder = { type: "LARGE" };

/** A comlink endpoint on the shared IPC channel. */
export function frameEndpoint(channel: "runner" | "host", post: (frame: Frame) => void): FrameEndpoint {
  const listeners = new Set<(event: { data: unknown; origin: string }) => void>();
  return {
    endpoint: {
      postMessage(message: unknown) {
        const rest = replaced(message, (value) => {
          if (!(value instanceof Bytes) || value.length < largeBytes) return value;
          post(["large", value.length]);
          for (let at = 0; at < value.length; at += largeBytes)
            post(["piece", value.subarray(at, at + largeBytes)]);
          return placeholder;
        });
        post([channel, rest]);
      },
      addEventListener: (_type, listener) => void listeners.add(listener as () => void),
      removeEventListener: (_type, listener) => void listeners.delete(listener as () => void),
    },
    deliver(message) {
      for (const listener of listeners) listener({ data: message, origin: channel });
    },
  };
}

/** Puts the large arrays of messages together. */
export class FrameReader {
  readonly #mostBytes: number;
  #arrays: Uint8Array[] = [];
  #announced = 0;
  /** Bytes of the last array that are here. */
  #length = 0;

  /** @param mostBytes - bytes that the large arrays of one message may have together */
  constructor(mostBytes = Infinity) {
    this.#mostBytes = mostBytes;
  }

  /** Takes a frame that begins or continues a large array. @throws Error when the other end does not keep to the protocol */
  take(kind: "large" | "piece", content: unknown): void {
    const last = this.#arrays.at(-1);
    const left = (last?.length ?? 0) - this.#length;
    if (kind === "piece") {
      if (!last || !(content instanceof Bytes) || content.length > left)
        throw new Error("a piece of nothing");
      last.set(content, this.#length);
      this.#length += content.length;
      return;
    }
    if (left > 0 || typeof content !== "number" || !(content >= largeBytes))
      throw new Error("a large array at the wrong time");
    this.#announced += content;
    if (this.#announced > this.#mostBytes) throw new Error("an array that is too large");
    this.#arrays.push(new Bytes(content));
    this.#length = 0;
  }

  /** The message with its large arrays. */
  complete(message: unknown): unknown {
    const arrays = this.#arrays;
    if (arrays.length === 0) return message;
    this.#arrays = [];
    this.#announced = this.#length = 0;
    return replaced(message, (value) => (isPlaceholder(value) ? arrays.shift() : value));
  }
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
