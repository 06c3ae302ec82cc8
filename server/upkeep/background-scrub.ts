import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { PlatformError } from "../../shared/errors.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { scrub } from "./scrub.ts";

/** The first pass waits, because a server that starts has clients and customers to serve. */
const defaultRestMs = 10 * 60_000;
/** A pass begins at most this often: records and blobs are read once a month, or as often as the rate lets it. */
const passMs = 30 * 24 * 3_600_000;
/** A timer of more than 24.8 days ends at once. */
const longestSleepMs = 24 * 3_600_000;
/** 5 ms of records take 2 % of the event loop. */
const recordPauseMs = 250;

type Parts = Omit<
  Parameters<typeof scrub>[0],
  "signal" | "onProgress" | "pauseMs" | "readsBlobs" | "blobs"
> & {
  readonly blobs: Pick<BlobStore, "list" | "verify" | "damaged" | "verifiesItself">;
  readonly log: Logger;
  readonly bytesPerSecond: number;
  /** Time from the start to the first pass, and the shortest one between two; 10 minutes when absent. */
  readonly restMs?: number;
};

/**
 * Verifies all records and blobs, slowly, as long as the server runs; blobs only where their medium does not verify itself.
 * @returns a function that ends that
 */
export function scrubInBackground(parts: Parts): () => void {
  const end = new AbortController();
  void run(parts, end.signal);
  return () => end.abort();
}

async function run({ log, restMs = defaultRestMs, ...parts }: Parts, signal: AbortSignal): Promise<void> {
  for (let dueAt = performance.now() + restMs; !signal.aborted;) {
    await sleepUntil(dueAt, signal);
    if (signal.aborted) return;
    const startedAt = performance.now();
    try {
      const { damagedBlobs, damagedRecords, ...read } = await scrub({
        ...parts,
        readsBlobs: !parts.blobs.verifiesItself,
        signal,
        pauseMs: recordPauseMs,
      });
      log.info(
        { ...read, damagedBlobs: damagedBlobs.length, damagedRecords },
        "verified everything that is stored",
      );
    } catch (error) {
      if (signal.aborted || PlatformError.from(error).code === "SHUTTING_DOWN") return;
      log.error({ err: error }, "could not verify what is stored");
    }
    dueAt = Math.max(performance.now() + restMs, startedAt + passMs);
  }
}

/** Resolves at a time on the clock of `performance`, or when aborted. */
async function sleepUntil(dueAt: number, signal: AbortSignal): Promise<void> {
  for (let leftMs; !signal.aborted && (leftMs = dueAt - performance.now()) > 0;)
    await sleep(Math.min(leftMs, longestSleepMs), undefined, { signal, ref: false }).catch(() => undefined);
}
