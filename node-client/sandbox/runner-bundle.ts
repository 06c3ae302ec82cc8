import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ownMath } from "../../shared/client/sandbox/own-math.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import { keptBundle } from "../bundle/kept-bundle.ts";

/**
 * The program of a sandbox process as one module. It needs no file of this machine, and does not show kernels its path. The package
 * brings it; a clone bundles it.
 *
 * @throws Error when it cannot be bundled
 */
export async function loadRunnerBundle(cacheDirectory: string): Promise<string> {
  const built = new URL("runner.mjs", import.meta.url);
  if (existsSync(built)) return `${ownMath};\n${readFileSync(built, "utf8")}`;
  const entry = fileURLToPath(moduleBeside(import.meta.url, "entry"));
  return `${ownMath};\n${(await keptBundle({ entry, cacheDirectory })).code}`;
}
