import type { Logger } from "pino";
import { PlatformError } from "../shared/errors.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import type { LocalPlatform } from "./dispatch/local-platform.ts";

const collectEveryMs = 10 * 60 * 1000;
const abandonedEveryMs = 3_600_000;
const oldEveryMs = 3_600_000;
/** A server that is started every day deletes old jobs as well. */
const oldFirstMs = 60_000;

interface UpkeepParts {
  readonly platform: LocalPlatform;
  readonly blobs: BlobStore;
  /** Age of the last use after which a blob or kernel without a job is collected. */
  readonly keepMs: number;
  readonly areBlobsShared: boolean;
  /** Whether this server does what one of several does for all. */
  readonly leads: () => boolean;
  readonly log: Logger;
}

/**
 * Collects blobs and kernels, deletes jobs that are kept no longer, and ends open jobs whose customers are gone, each at its time.
 * @returns a function that ends this
 */
export function startRegularUpkeep(parts: UpkeepParts): () => void {
  const timers = [
    setInterval(() => collect(parts), collectEveryMs),
    setInterval(() => endAbandoned(parts), abandonedEveryMs),
    setTimeout(() => deleteOld(parts), oldFirstMs),
    setInterval(() => deleteOld(parts), oldEveryMs),
  ];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}

function collect({ platform, blobs, keepMs, areBlobsShared, leads, log }: UpkeepParts): void {
  platform
    .collect(Date.now() - keepMs, (sha256) => blobs.removeUnowned(sha256), leads())
    .then(
      ({ kernels }) => kernels > 0 && log.info({ kernels }, "collected kernels that no job uses"),
      (error: unknown) => log.error({ err: error }, "could not collect kernels"),
    );
  // Blobs of a server alone are collected by this server.
  if (!areBlobsShared || leads())
    blobs.collect().then(
      ({ removed, bytes }) => removed > 0 && log.info({ removed, bytes }, "collected unreferenced blobs"),
      (error: unknown) => log.error({ err: error }, "could not collect blobs"),
    );
}

function deleteOld({ platform, leads, log }: UpkeepParts): void {
  if (!leads()) return;
  platform.deleteOld(Date.now()).then(
    (jobs) => jobs > 0 && log.info({ jobs }, "deleted jobs that are kept no longer"),
    (error: unknown) => log.error({ err: error }, "could not delete jobs that are kept no longer"),
  );
}

function endAbandoned({ platform, leads, log }: UpkeepParts): void {
  if (!leads()) return;
  platform.endAbandoned(Date.now()).then(
    (jobs) => jobs > 0 && log.info({ jobs }, "cancelled open jobs whose customers are gone"),
    (error: unknown) => log.error({ err: error }, "could not cancel open jobs whose customers are gone"),
  );
}

/** Runs beside the start: 20,000 blobs take 0.55 s, and blobs without a record are found meanwhile, too. */
export function checkBlobs(blobs: BlobStore, log: Logger): void {
  blobs.check().then(
    ({ adopted, missing }) => {
      if (adopted > 0)
        log.info({ adopted }, "took in blobs that were complete when the server was last killed");
      if (missing.count > 0)
        log.warn(missing, "blobs are recorded but not there; their customers have to put them again");
    },
    (error: unknown) => {
      // A server that stops in the middle of the check refuses its rest.
      if (PlatformError.from(error).code !== "SHUTTING_DOWN")
        log.error({ err: error }, "could not check the blobs");
    },
  );
}
