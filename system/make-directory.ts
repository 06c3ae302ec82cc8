import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a directory and its missing parents. Node's own `recursive` never returns on a file system that denies the existence of
 * an existing directory (/proc, a lost network share).
 * @param mode - permissions of new directories; 0o777 less the umask when absent
 * @returns the topmost new directory; undefined when all existed
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
      // Another process may have made the directory first.
      throwUnlessThere(path, again);
    }
    return above ?? path;
  }
}

function throwUnlessThere(path: string, error: unknown): undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
}
