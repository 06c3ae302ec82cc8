import { close, fstatSync, closeSync, mkdirSync, openSync, read, renameSync, rmSync, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

const readAsync = promisify(read);
const writeAsync = promisify(write);
const closeAsync = promisify(close);

/*
 * Calls that move bytes or wait for a disk are asynchronous. Calls on a name or a descriptor alone are synchronous, because a
 * turn through the thread pool takes the event loop longer than the call: ten times as long for a lock.
 */

/** The bytes of a file; undefined when the file is missing or unreadable. */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    // The buffer is not from Node's pool of small buffers, because the bytes may be kept for long.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(fstatSync(file).size).buffer);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await readAsync(file, bytes, at, bytes.length - at, at);
      // Another process has truncated the file.
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
 * Writes a new file `aside` and renames it to `path`, whose missing folder is made.
 * @throws Error when that fails; then no file is left
 */
export async function writeAndRename(bytes: Uint8Array, aside: string, path: string): Promise<void> {
  const file = openSync(aside, "wx");
  try {
    try {
      for (let at = 0; at < bytes.length;)
        at += (await writeAsync(file, bytes, at, bytes.length - at)).bytesWritten;
    } finally {
      // A network file system sends the bytes when the file is closed.
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
