import type { Sha256 } from "../../shared/ids.ts";
import type { Store } from "../store/store.ts";
import type { BlobBackend } from "./backend.ts";
import type { KeyedLocks } from "./locks.ts";
import type { Verification } from "./verification.ts";

/** The records of the blobs, of their owners and of the jobs that refer to them. */
export type BlobRecords = Pick<
  Store,
  "touchBlob" | "getBlob" | "disownBlob" | "checkRoom" | "blobUsage" | "unreferencedBlobs" | "forgetBlob"
>;

/** Backend, records, locks and times that the parts of a blob store share. */
export interface BlobParts {
  readonly backend: BlobBackend;
  readonly store: BlobRecords;
  /** Publishing, collecting and setting aside a blob exclude each other. */
  readonly locks: KeyedLocks<Sha256>;
  readonly verification: Verification;
  /** Milliseconds since the epoch; the same as the store's. */
  readonly clock: () => number;
  /** Blobs without a reference are kept this long after their last upload or use. */
  readonly keepMs: number;
}
