import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { moduleBeside } from "../system/module-beside.ts";
import { keptBundle } from "./bundle/kept-bundle.ts";
import { defaultCacheDirectory } from "./cache-directory.ts";

/**
 * The headless client as one module that needs nothing but Node (SPEC.md [NODE-1]). The package brings it; a clone makes it.
 *
 * @throws Error when it cannot be bundled
 */
export async function loadOneFileClient(): Promise<string> {
  const built = new URL("../manyhands-client.mjs", import.meta.url);
  if (existsSync(built)) return readFileSync(built, "utf8");
  const entry = fileURLToPath(moduleBeside(import.meta.url, "../bin/client"));
  return (await keptBundle({ entry, cacheDirectory: defaultCacheDirectory(), where: "alone" })).code;
}
