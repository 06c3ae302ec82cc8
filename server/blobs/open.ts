import { join } from "node:path";
import { PlatformError } from "../../shared/errors.ts";
import { BlobStore, openBlobDirectory, type BlobStoreOptions } from "./blob-store.ts";
import { BlobDirectory } from "./directory.ts";
import { BlobBucket } from "./s3/bucket.ts";
import { parseS3Place } from "./s3/place.ts";

/**
 * Opens the blobs of a server.
 * @param place - `s3://bucket…`, or a directory that several servers may share; undefined: a directory of this server alone
 * @throws PlatformError BAD_OPTION, DATA_DIRECTORY, UNREACHABLE
 */
export async function openBlobs(
  place: string | undefined,
  dataDirectory: string,
  options: BlobStoreOptions,
): Promise<BlobStore> {
  if (place === undefined) return openBlobDirectory(join(dataDirectory, "blobs"), options);
  if (!place.includes("://")) return new BlobStore(new BlobDirectory(place, true), options);
  if (!place.startsWith("s3://"))
    throw new PlatformError(
      "BAD_OPTION",
      `--blobs ${place} is no place for blobs; expected a directory or s3://bucket/prefix.`,
    );
  const bucket = new BlobBucket(parseS3Place(place), join(dataDirectory, "uploads"));
  await bucket.tryAccess();
  return new BlobStore(bucket, options);
}
