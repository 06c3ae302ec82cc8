import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { sha256Schema } from "../../shared/ids.ts";

export const manifestName = "manifest.json";

const file = v.strictObject({ name: v.string(), size: v.number(), sha256: sha256Schema });

/** The contents of a backup directory. A backup replaces this list in one step at its end, so the list is always that of a whole backup. */
const manifestSchema = v.strictObject({
  format: v.literal("manyhands backup"),
  version: v.literal(1),
  /** Version of Manyhands that made the backup. */
  manyhands: v.string(),
  /** ms since the Unix epoch. */
  madeAt: v.number(),
  database: file,
  /** Further files of the data directory. */
  files: v.array(file),
  /** The list of blobs: a line each, name and size. */
  list: file,
  blobs: v.number(),
  blobBytes: v.number(),
  /** Blobs that were damaged or missing when the backup was made. */
  missing: v.array(sha256Schema),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** @throws PlatformError DATA_DIRECTORY when the directory is no backup */
export async function readManifest(directory: string): Promise<Manifest> {
  try {
    return v.parse(manifestSchema, JSON.parse(await readFile(join(directory, manifestName), "utf8")));
  } catch (error) {
    throw new PlatformError(
      "DATA_DIRECTORY",
      `${directory} is no backup of Manyhands (${messageOf(error)}). Expected a directory that \`manyhands backup\` wrote.`,
      error,
    );
  }
}

/** Place of a blob in a directory of blobs. */
export function blobPath(blobs: string, sha256: string): string {
  return join(blobs, sha256.slice(0, 2), sha256);
}

/** The directory of blobs in a backup, and in a data directory. */
export function blobsIn(directory: string): string {
  return join(directory, "blobs");
}
