import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryDirectory } from "../support/children.ts";

/** A function as the module file that piscina wants. */
export async function moduleOf(kernel: (...args: never[]) => unknown): Promise<string> {
  const file = join(temporaryDirectory(), "kernel.mjs");
  await writeFile(file, `export default ${kernel.toString()}`);
  return file;
}
