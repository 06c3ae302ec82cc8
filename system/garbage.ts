import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Half of the buffer bytes at which V8 begins to collect the whole heap. */
const collectEveryBytes = 16 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;
let collect: Collect | undefined;
let bytesSince = 0;

/**
 * To be called for short-lived buffers that were dropped. Node makes a buffer of 64 KiB for each piece of a request;
 * V8 counts them as old memory and collects the whole heap again and again, although the young collection, 1 ms,
 * frees them all. Uploads take a third less processor time with it.
 */
export function bufferDropped(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < collectEveryBytes) return;
  bytesSince = 0;
  collect ??= exposeCollect();
  collect({ type: "minor" });
}

/** Node offers the collector behind a flag only; contexts made after the flag was set have it. */
function exposeCollect(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
