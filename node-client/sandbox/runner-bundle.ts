import { join } from "node:path";
import { keptBundle } from "../bundle/kept-bundle.ts";

/**
 * The code of a sandbox process as one module. It needs no file of this machine, and tells kernels nothing of where it lies.
 *
 * @throws Error when it cannot be bundled
 */
export async function loadRunnerBundle(cacheDirectory: string): Promise<string> {
  const entry = join(import.meta.dirname, "entry.ts");
  return (await keptBundle({ entry, cacheDirectory })).code;
}
