import { rm, writeFile } from "node:fs/promises";

/** Writes a file that its owner alone may read. */
export async function writePrivate(file: string, text: string): Promise<void> {
  // The old file is removed first: `mode` applies to new files only, and a link left there must not be followed.
  await rm(file, { force: true });
  await writeFile(file, text, { mode: 0o600, flag: "wx" });
}
