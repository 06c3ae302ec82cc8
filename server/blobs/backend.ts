import type { Readable, Writable } from "node:stream";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { IncomingFile } from "./incoming-file.ts";

/** The bytes `[start, end)` of a blob. */
export type ByteRange = readonly [start: number, end: number];

/** `missing`: the blob is not there; it may have been found damaged long ago. */
export type Verdict = "sound" | "damaged" | "missing";

/** An upload that was received whole and verified, under no name yet. */
export interface ReceivedBlob {
  readonly size: number;
  /** Makes the bytes the blob, at once and whole. */
  publish(): Promise<void>;
  /** Puts the name of the published blob on disk. */
  sync(): Promise<void>;
  /** Removes the bytes that were received, unless they are the blob by now. */
  discard(): Promise<void>;
}

/**
 * The place of the bytes of blobs: a directory, or a bucket. A blob that can be found is whole and was verified. Errors are those of the
 * medium; {@link blobError} makes refusals of them.
 */
export interface BlobBackend {
  /** Whether other servers have the same blobs. */
  readonly isShared: boolean;
  /** Whether the medium itself finds bytes that changed: then blobs are hashed only when a reader or a scrub asks for it. */
  readonly verifiesItself: boolean;
  /** Directory of the blobs' files, for a backup of them. */
  readonly directory?: string;
  /** Undefined when the blob is not there. */
  find(sha256: Sha256): BlobName | undefined | Promise<BlobName | undefined>;
  /** A new file for an upload, on this server. */
  incoming(sha256: Sha256): IncomingFile;
  /** The upload whose last stretch the file has. */
  received(file: IncomingFile): ReceivedBlob;
  /** The stream fails with PlatformError NOT_FOUND when the blob is not there. */
  open(sha256: Sha256, range?: ByteRange): Readable;
  /**
   * @param isSound - whether the blob has the hash of its name; the last bytes wait for the answer, and are not sent after a no. Absent for bytes
   * that need no verification
   * @throws PlatformError NOT_FOUND, STORE_FAILED; an Error when `sink` was closed before its end
   */
  send(sha256: Sha256, range: ByteRange, sink: Writable, isSound?: () => Promise<boolean>): Promise<void>;
  /**
   * Reads a blob and compares its hash with its name. Where the medium does not verify itself, kept digests that are not those of the blob's
   * chunks are removed.
   * @param bytesPerSecond - most bytes read a second
   * @throws PlatformError STORE_FAILED when the blob cannot be read for another reason than a bad disk
   */
  verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict>;
  /**
   * Takes a damaged blob away, so that no reader gets its bytes. They are kept: most of them may be right.
   * @returns false when the blob was put again meanwhile, and stays
   */
  setAside(sha256: Sha256): Promise<boolean>;
  isSetAside(sha256: Sha256): Promise<boolean>;
  listSetAside(): Promise<Sha256[]>;
  /** Removes the damaged copy of a blob that was put again, or is gone. */
  removeSetAside(sha256: Sha256): Promise<void>;
  /**
   * Removes a blob with its digests.
   * @param isWanted - asked when the blob cannot be found any more; its bytes then come back if it is (SPEC.md [BLOB-3])
   */
  remove(name: BlobName, isWanted?: () => Promise<boolean>): Promise<void>;
  /** Lists the blobs. */
  list(): AsyncIterable<BlobName>;
  /** The kept digests of a blob's chunks. */
  readDigests(sha256: Sha256): Promise<Buffer | undefined>;
  keepDigests(sha256: Sha256, digests: Buffer): Promise<void>;
  /** An address under which anybody reads the blob for a while; absent where a backend has no such addresses. */
  readonly signedUrl?: (sha256: Sha256) => Promise<string>;
  /** The origin of these addresses, e.g. `https://s3.example.org`. */
  readonly signedOrigin?: string;
  /** Shows the other servers that this server is there. */
  showLife?(): Promise<void>;
  /** Removes files of uploads and removals that dead servers left. Called by one server at a time. */
  removeLeftovers?(): Promise<void>;
  /** Ends timers and connections that would keep the program running. */
  close?(): Promise<void>;
}
