import { chmod, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { nameOfUser } from "../../server/access/name-of-user.ts";
import { openSqliteStore } from "../../server/store/sqlite/open.ts";
import type { Store } from "../../server/store/store.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { directoryName, openFirstFree } from "../program-directory.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/**
 * Opens `SCRATCH/manyhands-<user>/thread-<program>`, or `…-2` when the program runs twice. Everybody may use the same SCRATCH, and a
 * program that runs again finds its jobs.
 * @throws PlatformError DATA_DIRECTORY
 */
export async function openScratch(
  scratch: string,
  program: string,
): Promise<{ store: Store; directory: string }> {
  const root = join(resolve(scratch), `manyhands-${nameOfUser()}`);
  await makePrivate(root);
  return openFirstFree(async (nth) => {
    const directory = join(root, directoryName("thread", program, nth));
    return { store: await openSqliteStore(directory), directory };
  });
}

async function makePrivate(root: string): Promise<void> {
  try {
    makeDirectory(root, 0o700);
    const { uid } = await stat(root);
    // SCRATCH may be open to everybody, so another user may have made the directory.
    if (process.getuid && uid !== process.getuid()) throw new Error("it belongs to somebody else");
    await chmod(root, 0o700);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError(
      "DATA_DIRECTORY",
      `The scratch directory ${root} cannot be used: ${reason}.`,
      error,
    );
  }
}
