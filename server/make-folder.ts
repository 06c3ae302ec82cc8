import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { makeDirectory } from "../system/make-directory.ts";

/**
 * Makes a folder for this user alone, with the folders above it. All are on disk when this returns: each parent is
 * flushed.
 */
export function makeFolder(name: string): void {
  const path = resolve(name);
  const first = makeDirectory(path, 0o700);
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) flushFolder(dirname(made));
}

function flushFolder(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch {
    // A folder with write permission alone cannot be opened, and so not flushed.
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
