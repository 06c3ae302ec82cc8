import { join } from "node:path";
import { ownMath } from "../../shared/client/sandbox/own-math.ts";
import { keptBundle } from "../bundle/kept-bundle.ts";

/**
 * The program of a sandbox process as one module. It needs no file of this machine, and does not show kernels its path.
 *
 * @throws Error when it cannot be bundled
 */
export async function loadRunnerBundle(cacheDirectory: string): Promise<string> {
  const entry = join(import.meta.dirname, "entry.ts");
  return `${ownMath};\n${(await keptBundle({ entry, cacheDirectory })).code}`;
}
