import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { isAlive } from "../../node-client/is-alive.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { parseRendezvous } from "../../shared/wire/rendezvous.ts";
import { nameOfUser } from "../../server/access/name-of-user.ts";
import { directoryName } from "../program-directory.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** Where one user's programs keep what they need under the SCRATCH that a person gave. */
export interface Scratch {
  /** Data directories of servers, one a program: `data-<program>`, `data-<program>-2`, … */
  readonly dataDirectory: (nth: number) => string;
  /** A new name for every run. */
  readonly rendezvousFile: string;
  /** Caches by host; ends in a slash. */
  readonly caches: string;
}

const rendezvousName = /^rendezvous-.*\.json$/;

/**
 * Makes `SCRATCH/manyhands-<user>` (mode 0700), and clears it of rendezvous files whose servers died on this host.
 * @param program - distinguishes programs, so that one run again finds its jobs; another at the same time finds its own
 * @throws PlatformError DATA_DIRECTORY when it cannot be made or belongs to somebody else
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
  // In a directory that everybody writes to, somebody else may have been first.
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
      // Half gone already, or not ours to judge.
    }
  }
}
