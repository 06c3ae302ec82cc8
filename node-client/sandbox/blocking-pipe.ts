import { readSync, writeSync } from "node:fs";
import { lengthBytes, pipeDescriptor } from "./frames.ts";

/** Node's calls take lengths below 2³¹. */
const mostAtOnce = 2 ** 30;

// A kernel shares this realm and may replace globals: these references are taken before any kernel runs.
const Bytes = Uint8Array;
const { min } = Math;
const { apply, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
const lengthGetter = getOwnPropertyDescriptor(getPrototypeOf(Bytes.prototype)!, "byteLength")!.get!;

/** A sandbox process's end of the pipe for large arrays. */
export interface BlockingPipe {
  read(): Uint8Array;
  write(bytes: Uint8Array): void;
}

/**
 * Opens the pipe for calls that wait: the kernel waits for the bytes anyway, and they go straight into or out of its memory. The client
 * reads and writes whenever it can, so neither waits for the other for ever.
 *
 * @param die - ends the process; called when the client is gone
 */
export function openBlockingPipe(die: () => never): BlockingPipe {
  const length = new Float64Array(1);
  const header = new Bytes(length.buffer);

  function readInto(bytes: Uint8Array, size: number): void {
    for (let at = 0; at < size;) {
      const count = readSync(pipeDescriptor, bytes, at, min(size - at, mostAtOnce), null);
      if (count === 0) die();
      at += count;
    }
  }

  function writeAll(bytes: Uint8Array, size: number): void {
    for (let at = 0; at < size;) at += writeSync(pipeDescriptor, bytes, at, min(size - at, mostAtOnce), null);
  }

  return {
    read() {
      readInto(header, lengthBytes);
      const size = length[0]!;
      const bytes = new Bytes(size);
      readInto(bytes, size);
      return bytes;
    },
    write(bytes) {
      // An array of a kernel may have a `length` of its own.
      const size = apply(lengthGetter, bytes, []) as number;
      length[0] = size;
      writeAll(header, lengthBytes);
      writeAll(bytes, size);
    },
  };
}
