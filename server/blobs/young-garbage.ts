import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** V8 begins a collection of everything when some 32 MiB of buffers wait to be dropped. */
const collectEveryBytes = 16 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;
let collect: Collect | undefined;
let bytesSince = 0;

/**
 * To be told of short-lived buffers that were dropped. Node makes one of 64 KiB for each piece of a request; V8 counts them as
 * old memory and so collects the whole heap again and again, although the young collection, 1 ms, frees them all. 512 uploads of 1 MiB, four at
 * once: 31-47 collections of the whole heap and 3.8-4.3 s of processor time without this, 0 and 2.3-2.9 s with; after 8 MiB
 * instead of 16: 2.8-3.6 s. A smaller young heap (`--max-semi-space-size=4`) does the same, and cannot be set by a running program.
 */
export function bufferDropped(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < collectEveryBytes) return;
  bytesSince = 0;
  collect ??= exposeCollect();
  collect({ type: "minor" });
}

/** Node offers it by a flag alone; contexts made after the flag was set have it. */
function exposeCollect(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
