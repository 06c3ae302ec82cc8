import { PlatformError } from "../../shared/errors.ts";
import type { BackupProgress, ScrubProgress } from "../../shared/wire/rest/upkeep.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { EmbeddedStore } from "../store/sqlite/embedded-store.ts";
import type { Store } from "../store/store.ts";
import { backUp } from "./backup.ts";
import { scrub } from "./scrub.ts";

interface Parts {
  /** Without `backup`, the store is in a database server. */
  readonly store: Pick<Store, "verifyRecords"> & Partial<Pick<EmbeddedStore, "backup">>;
  readonly blobs: BlobStore;
  readonly dataDirectory: string;
  readonly damagedRecords: () => number;
}

interface Following<Progress> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** Work on a server's data that an administrator asks for. */
export class Upkeep {
  readonly #parts: Parts;
  #isBackingUp = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Verifies all records and blobs, as fast as the disk is. */
  scrub(following: Following<ScrubProgress>): Promise<ScrubProgress> {
    return scrub({ ...this.#parts, ...following });
  }

  /** @throws PlatformError WRONG_STATE while another backup is written, and where database or blobs are not files of this server */
  async backUp(directory: string, following: Following<BackupProgress>): Promise<BackupProgress> {
    const { store, blobs, dataDirectory } = this.#parts;
    if (!store.backup)
      throw new PlatformError(
        "WRONG_STATE",
        "This server keeps its data in PostgreSQL, which has backups of its own: use pg_dump or another of its means, and then copy the blobs.",
      );
    if (blobs.directory === undefined)
      throw new PlatformError(
        "WRONG_STATE",
        "This server keeps its blobs in an S3 bucket, which a backup to a directory does not copy: use the bucket's own means (versions, replication), and back up the data directory while the server is stopped.",
      );
    if (this.#isBackingUp)
      throw new PlatformError("WRONG_STATE", "Another backup is being written; expected one at a time.");
    this.#isBackingUp = true;
    try {
      const copied = { store: { backup: store.backup.bind(store) }, blobs, dataDirectory };
      return await backUp(directory, { ...copied, blobDirectory: blobs.directory, ...following });
    } finally {
      this.#isBackingUp = false;
    }
  }
}
