import { setTimeout as sleep } from "node:timers/promises";
import type { ScrubProgress } from "../../shared/wire/rest/upkeep.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { Store } from "../store/store.ts";

/** Most names of damaged blobs that a report has. */
const maxNames = 100;

interface ScrubOptions {
  readonly store: Pick<Store, "verifyRecords">;
  readonly blobs: Pick<BlobStore, "list" | "verify" | "damaged">;
  /** Number of records that were found damaged so far. */
  readonly damagedRecords: () => number;
  /** Most bytes of blobs read a second; absent: as fast as the disk is. */
  readonly bytesPerSecond?: number;
  /** Absent: true. */
  readonly readsBlobs?: boolean;
  /** Pause after each few milliseconds of records. */
  readonly pauseMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ScrubProgress) => void;
}

/**
 * Reads all records and blobs and compares them with their checksums and hashes; damaged ones are set aside or reported as by any
 * reader (SPEC.md [ROT-7]).
 */
export async function scrub(options: ScrubOptions): Promise<ScrubProgress> {
  const { store, blobs, damagedRecords, bytesPerSecond, pauseMs = 0, signal, onProgress } = options;
  const { readsBlobs = true } = options;
  const before = damagedRecords();
  const found = { records: 0, blobs: 0, bytes: 0 };
  const progress = (isDone: boolean): ScrubProgress => ({
    done: isDone,
    ...found,
    damagedRecords: damagedRecords() - before,
    damagedBlobs: [...blobs.damaged].slice(0, maxNames),
  });
  for (let at = await store.verifyRecords(); ; at = await store.verifyRecords(at.next)) {
    found.records += at.records;
    onProgress?.(progress(false));
    signal?.throwIfAborted();
    if (!at.next) break;
    await sleep(pauseMs, undefined, { signal });
  }
  for await (const { sha256, size } of readsBlobs ? blobs.list() : []) {
    signal?.throwIfAborted();
    await blobs.verify(sha256, bytesPerSecond);
    found.blobs++;
    found.bytes += size;
    onProgress?.(progress(false));
  }
  const end = progress(true);
  onProgress?.(end);
  return end;
}
