import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it. Not with `recursive` of Node's own, which never returns where a file system answers that an
 * existing directory does not exist (/proc, a network share that went away).
 * @param mode - permissions of those that are made; 0o777 less the umask unless given
 * @returns the topmost directory that was made; undefined when all were there
 * @throws Error of the system
 */
export function makeDirectory(path: string, mode = 0o777): string | undefined {
  try {
    mkdirSync(path, { mode });
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" || dirname(path) === path) return throwUnlessThere(path, error);
    const above = existsSync(dirname(path)) ? undefined : makeDirectory(dirname(path), mode);
    try {
      mkdirSync(path, { mode });
    } catch (again) {
      // Another process may have been first.
      throwUnlessThere(path, again);
    }
    return above ?? path;
  }
}

function throwUnlessThere(path: string, error: unknown): undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
}
