import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { makeDirectory } from "../system/make-directory.ts";

/** Makes a folder of this user alone, with those above it, on disk when it returns: a folder is, when the one that names it is. */
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
    // A folder may be one to write to and not to read, which cannot be flushed.
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
