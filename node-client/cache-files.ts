import { close, fstatSync, closeSync, mkdirSync, openSync, read, renameSync, rmSync, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

const readAsync = promisify(read);
const writeAsync = promisify(write);
const closeAsync = promisify(close);

/*
 * What moves bytes, or may wait for a disk, is asynchronous; what only touches a name or a descriptor is not: a turn through
 * the thread pool takes the event loop's thread longer than the call. A lock made, read and removed: 0.39 ms of processor time
 * in seven turns, 0.04 ms at once; a file that is not there: 0.083 and 0.005 ms.
 */

/** The bytes of a file; undefined when it is not there or cannot be read. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    // Not from Node's pool of small buffers: these bytes may stay for long.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(fstatSync(file).size).buffer);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await readAsync(file, bytes, at, bytes.length - at, at);
      // Cut short meanwhile.
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a new file `aside` and renames it to `path`, whose folder is made where it is missing.
 * @throws Error when that cannot be done; then nothing is left
 */
export async function writeAndRename(bytes: Uint8Array, aside: string, path: string): Promise<void> {
  const file = openSync(aside, "wx");
  try {
    try {
      for (let at = 0; at < bytes.length;)
        at += (await writeAsync(file, bytes, at, bytes.length - at)).bytesWritten;
    } finally {
      // A network file system sends the bytes at this moment.
      await closeAsync(file);
    }
    rename(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

function rename(aside: string, path: string): void {
  try {
    renameSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true });
    renameSync(aside, path);
  }
}
