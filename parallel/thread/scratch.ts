import { chmod, mkdir, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { PlatformError } from "../../shared/errors.ts";

/** Programs of one name that use one SCRATCH at the same time. */
const maxPrograms = 64;

/** The account that runs this program. */
export function nameOfUser(): string {
  try {
    return userInfo().username || "local";
  } catch {
    // A container may run under a number that has no name.
    return "local";
  }
}

/**
 * Opens `SCRATCH/manyhands-<user>/thread-<program>`, or `…-2` when the same program runs twice: SCRATCH may be a directory
 * that everybody uses, and a program that is run again finds its jobs.
 * @throws PlatformError DATA_DIRECTORY
 */
export async function openScratch(
  scratch: string,
  program: string,
): Promise<{ store: Store; directory: string }> {
  const root = join(resolve(scratch), `manyhands-${nameOfUser()}`);
  await makePrivate(root);
  const name = program.replaceAll(/[^\w.-]+/g, "_").slice(0, 80) || "program";
  for (let nth = 1; ; nth++) {
    const directory = join(root, `thread-${name}${nth > 1 ? `-${nth}` : ""}`);
    try {
      return { store: await openSqliteStore(directory), directory };
    } catch (error) {
      const inUse = PlatformError.from(error).message.startsWith("Another Manyhands server is using");
      if (!inUse || nth >= maxPrograms) throw error;
    }
  }
}

async function makePrivate(root: string): Promise<void> {
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const { uid } = await stat(root);
    // In a directory that everybody writes to, somebody else may have been first.
    if (process.getuid && uid !== process.getuid()) throw new Error("it belongs to somebody else");
    await chmod(root, 0o700);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The scratch directory ${root} cannot be used: ${reason}.`,
      error,
    );
  }
}
