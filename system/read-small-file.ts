import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Longest silence of a pipe before it is given up. */
const silenceMs = 15_000;
const pauseMs = 20;

/**
 * Reads a small file, or a pipe such as a shell's `<(command)`, without waiting for a device that has no end or a pipe that has no
 * writer (SPEC.md [WAIT-1]). Sleeps while a pipe is silent.
 * @throws Error of the system, or naming the kind of file that the path is instead
 */
export function readSmallFile(path: string, maxBytes: number): Buffer {
  // Without this flag, opening a pipe would wait for its writer.
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

/** @returns the number of bytes; 0 at the end; undefined while a pipe has none */
function readWhatIsThere(file: number, into: Buffer): number | undefined {
  try {
    return readSync(file, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}
