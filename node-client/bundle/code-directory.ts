import { lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDirectory } from "../../system/make-directory.ts";

/**
 * Directories for code that later programs run, best first: under the cache directory; in the system's temporary directory, for when
 * the cache belongs to another user or is read only.
 */
export function codeDirectories(cacheDirectory: string): string[] {
  const own = join(tmpdir(), `manyhands-code-${process.getuid?.() ?? "user"}`);
  return [join(cacheDirectory, "bundles"), own];
}

/** @throws Error when the directory cannot be made, or others could write to it */
export function makePrivate(directory: string): void {
  makeDirectory(directory, 0o700);
  if (!isOwn(directory)) throw new Error(`${directory} is not this user's alone`);
}

/**
 * Whether only this user can change a file or directory: not another's, not a link, not open to a group.
 * @throws Error when the path does not exist
 */
export function isOwn(path: string): boolean {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return false;
  return !process.getuid || (found.uid === process.getuid() && (found.mode & 0o022) === 0);
}
