import * as v from "valibot";
import { sha256Schema } from "../../ids.ts";
import { text } from "./fields.ts";

/** Progress of a verification of all records and blobs: a line of the answer to `POST /api/scrub`. */
export const scrubProgressSchema = v.object({
  done: v.boolean(),
  /** Records of the database that were read: packs of inputs or outputs, checkpoints, kernels. */
  records: v.number(),
  /** Blobs that were read, and their bytes. */
  blobs: v.number(),
  bytes: v.number(),
  /** Records that were found damaged and were not known to be. */
  damagedRecords: v.number(),
  /** Blobs that are set aside, up to 100. */
  damagedBlobs: v.array(sha256Schema),
});
export type ScrubProgress = v.InferOutput<typeof scrubProgressSchema>;

/** The body of `POST /api/backup`. */
export const backupSchema = v.strictObject({
  /** Absolute path on the server's machine: a new or empty directory, or an earlier backup. */
  directory: text(4096),
});

/** Progress of a backup: a line of the answer to `POST /api/backup`. */
export const backupProgressSchema = v.object({
  done: v.boolean(),
  /** Share of the database that is copied, 0 … 1. */
  database: v.number(),
  /** Blobs of the backup so far; those that an earlier backup had are not copied again. */
  blobs: v.number(),
  copiedBlobs: v.number(),
  copiedBytes: v.number(),
  /** Blobs that are damaged or missing on the server, and so in the backup. */
  missing: v.array(sha256Schema),
  /** Failure of the backup, in the last line. The earlier backup is whole. */
  failure: v.optional(
    v.object({ code: v.string(), message: v.string(), remedy: v.string(), retryable: v.boolean() }),
  ),
});
export type BackupProgress = v.InferOutput<typeof backupProgressSchema>;
