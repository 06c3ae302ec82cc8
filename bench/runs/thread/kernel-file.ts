import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A function as the module file that piscina wants, gone with the process. */
export async function moduleOf(kernel: (...args: never[]) => unknown): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "manyhands-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "kernel.mjs");
  await writeFile(file, `export default ${kernel.toString()}`);
  return file;
}
