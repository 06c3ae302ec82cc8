import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { Sha256 } from "../../shared/ids.ts";

const pieceBytes = 1024 * 1024;

/**
 * Copies a file, on disk when this resolves but for its name, which {@link syncFolder} puts there. A file that has not the expected hash is
 * not copied.
 * @returns hash and size of the source
 */
export async function copyFile(
  from: string,
  to: string,
  expected?: Sha256,
): Promise<{ sha256: Sha256; size: number }> {
  const partial = `${to}.partial`;
  const source = await open(from, "r");
  try {
    const target = await open(partial, "w", 0o600);
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(pieceBytes);
    let size = 0;
    try {
      for (;;) {
        const { bytesRead } = await source.read(piece, 0, pieceBytes);
        if (bytesRead === 0) break;
        const bytes = piece.subarray(0, bytesRead);
        hash.update(bytes);
        await target.writeFile(bytes);
        size += bytesRead;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    const sha256 = hash.digest("hex") as Sha256;
    if (expected === undefined || sha256 === expected) await rename(partial, to);
    else await rm(partial);
    return { sha256, size };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

/** Puts the names of a folder's files on disk. */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
