import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** A pipe on which nothing comes for so long is given up. */
const silenceMs = 15_000;
const pauseMs = 20;

/**
 * Reads a file, or a pipe such as a shell's `<(command)`, that is to be small: neither a device without an end nor a pipe that
 * nobody writes to is waited for (SPEC.md [WAIT-1]). Sleeps while a pipe is silent.
 * @throws Error of the system, or that says what the path is instead
 */
export function readSmallFile(path: string, maxBytes: number): Buffer {
  // Without the flag the opening of a pipe would wait for its writer.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = fstatSync(file);
    if (!found.isFile() && !found.isFIFO())
      throw new Error(`${found.isDirectory() ? "a directory" : "a device or socket"}; a file was expected`);
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let silentMs = 0; silentMs < silenceMs;) {
      const read = readWhatIsThere(file, bytes.subarray(length));
      if (read === undefined) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
        silentMs += pauseMs;
        continue;
      }
      length += read;
      silentMs = 0;
      if (length > maxBytes) throw new Error(`more than ${maxBytes} bytes; a small file was expected`);
      if (read === 0) return bytes.subarray(0, length);
    }
    throw new Error(`nothing came from this pipe for ${silenceMs / 1000} s`);
  } finally {
    closeSync(file);
  }
}

/** @returns how many bytes; 0 at the end; undefined while a pipe has none */
function readWhatIsThere(file: number, into: Buffer): number | undefined {
  try {
    return readSync(file, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}
