import * as v from "valibot";
import { PlatformError } from "../shared/errors.ts";
import { contentTypes } from "../shared/wire/rest/content-types.ts";
import {
  backupProgressSchema,
  scrubProgressSchema,
  type BackupProgress,
  type ScrubProgress,
} from "../shared/wire/rest/upkeep.ts";
import type { HttpClient } from "./http.ts";
import { jsonLines } from "./line-stream.ts";

/** Has the server verify all records and blobs. @throws PlatformError FORBIDDEN, UNREACHABLE when the connection breaks */
export function scrubServer(
  http: HttpClient,
  onProgress: (progress: ScrubProgress) => void,
): Promise<ScrubProgress> {
  return follow(http, "api/scrub", {}, scrubProgressSchema, onProgress);
}

/**
 * Has the server write a backup to a directory of its machine.
 * @throws PlatformError FORBIDDEN, BAD_ARGUMENT, FILE_FAILED; UNREACHABLE when the connection breaks, which ends the backup
 */
export function backUpServer(
  http: HttpClient,
  directory: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<BackupProgress> {
  return follow(http, "api/backup", { directory }, backupProgressSchema, onProgress);
}

async function follow<Progress extends { readonly done: boolean; readonly failure?: unknown }>(
  http: HttpClient,
  path: string,
  body: object,
  schema: v.GenericSchema<unknown, Progress>,
  onProgress: (progress: Progress) => void,
): Promise<Progress> {
  const response = await http.open({
    method: "POST",
    path,
    body: JSON.stringify(body),
    headers: { "content-type": contentTypes.json, accept: contentTypes.ndjson },
  });
  for await (const line of jsonLines(response)) {
    const progress = v.parse(schema, line);
    if (progress.failure !== undefined)
      throw PlatformError.fromReply(response.status, JSON.stringify(progress.failure));
    onProgress(progress);
    if (progress.done) return progress;
  }
  throw new PlatformError("UNREACHABLE", "The connection to the server broke before it had finished.");
}
