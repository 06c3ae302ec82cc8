import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { keptBundle } from "../../node-client/bundle/kept-bundle.ts";
import { moduleBeside } from "../../system/module-beside.ts";

/** The code of the engine's thread. */
export interface EngineCode {
  readonly file: string | URL;
  /** Directory of its compiled form. */
  readonly compiled: string | undefined;
}

/**
 * The engine in one file, made by the first program of this user, because a start from many sources takes twice as long. Where no file
 * can be made or kept, the sources.
 */
export async function loadEngine(cacheDirectory: string): Promise<EngineCode> {
  const file = moduleBeside(import.meta.url, "engine-entry");
  const entry = fileURLToPath(file);
  const bundle = await keptBundle({ entry, cacheDirectory, where: "local" }).catch(() => undefined);
  if (bundle?.path === undefined) return { file, compiled: undefined };
  return { file: bundle.path, compiled: join(dirname(bundle.path), "compiled") };
}
