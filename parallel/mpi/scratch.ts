import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { isAlive } from "../../node-client/is-alive.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { parseRendezvous } from "../../shared/wire/rendezvous.ts";
import { nameOfUser } from "../../server/access/name-of-user.ts";
import { directoryName } from "../program-directory.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** Directories and files of a user's programs under SCRATCH. */
export interface Scratch {
  /** Data directories of servers, one a program: `data-<program>`, `data-<program>-2`, … */
  readonly dataDirectory: (nth: number) => string;
  /** The rendezvous file, with a new name for every run. */
  readonly rendezvousFile: string;
  /** Directory of a cache for each host; ends in a slash. */
  readonly caches: string;
}

const rendezvousName = /^rendezvous-.*\.json$/;

/**
 * Makes `SCRATCH/manyhands-<user>` (mode 0700), and removes rendezvous files of servers that died on this host.
 * @param program - name that distinguishes programs, so that each finds its own jobs when it runs again
 * @throws PlatformError DATA_DIRECTORY when the directory cannot be made or belongs to another user
 */
export async function openScratch(scratch: string, program: string, unique: string): Promise<Scratch> {
  const [username, uid] = [nameOfUser(), process.getuid?.()];
  const root = join(resolve(scratch), `manyhands-${username}`);
  try {
    makeDirectory(root, 0o700);
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("DATA_DIRECTORY", `SCRATCH ${scratch} cannot be used: ${reason}.`, error);
  }
  // SCRATCH may be open to everybody, so another user may have made the directory.
  const found = await lstat(root);
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid) || (found.mode & 0o022) !== 0)
    throw new PlatformError(
      "DATA_DIRECTORY",
      `${root} is not a directory of ${username} alone; expected one that nobody else owns or may write to.`,
    );
  await removeStale(root);
  return {
    dataDirectory: (nth) => join(root, directoryName("data", program, nth)),
    rendezvousFile: join(root, `rendezvous-${hostname()}-${process.pid}-${unique}.json`),
    caches: join(root, "cache/"),
  };
}

async function removeStale(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!rendezvousName.test(name)) continue;
    const file = join(root, name);
    try {
      const { host, pid } = parseRendezvous(await readFile(file, "utf8"), file);
      if (host === hostname() && !isAlive(pid)) await rm(file, { force: true });
    } catch {
      // A file that cannot be read or parsed stays: another program may be writing or removing it.
    }
  }
}
