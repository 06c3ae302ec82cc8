import { closeSync, openSync, readSync } from "node:fs";
import type { BlobName } from "../../shared/data-reference.ts";
import { limits } from "../../shared/limits.ts";
import { largeBytes } from "./frames.ts";

/** Node's calls take lengths below 2³¹. */
const mostAtOnce = 2 ** 30;

// A kernel shares this realm and may replace globals: these references are taken before any kernel runs.
const Bytes = Uint8Array;
const { min } = Math;
const { wholeBytes } = limits;

/**
 * Reads of large blobs by the sandbox process itself, from files that its client lets it see: of all ways into a kernel's memory the one
 * with the fewest copies.
 *
 * @param ask - asks the client for a file
 * @returns a function that gives the bytes; undefined where they are to be had from the client
 */
export function fileReader(
  ask: (name: BlobName, done: string[]) => PromiseLike<string | undefined>,
): (name: BlobName, range: readonly [number, number] | undefined) => Promise<Uint8Array | undefined> {
  let done: string[] = [];
  return async (name, range) => {
    const [start, end] = range ?? [0, name.size];
    // Of a larger blob the client fetches parts.
    const isFile = end - start >= largeBytes && (end - start === name.size || name.size <= wholeBytes);
    if (!isFile || start < 0 || end > name.size) return undefined;
    const read = done;
    done = [];
    const path = await ask(name, read);
    if (path === undefined) return undefined;
    done[done.length] = path;
    return readPart(path, start, end);
  };
}

/** Undefined when the file, or a part of it, is gone. */
function readPart(path: string, start: number, end: number): Uint8Array | undefined {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = new Bytes(end - start);
      for (let at = 0; at < end - start;) {
        const count = readSync(file, bytes, at, min(end - start - at, mostAtOnce), start + at);
        if (count === 0) return undefined;
        at += count;
      }
      return bytes;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
