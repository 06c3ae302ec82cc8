import { dirname, join } from "node:path";
import { keptBundle } from "../../node-client/bundle/kept-bundle.ts";

/** What the engine's thread runs. */
export interface EngineCode {
  readonly file: string | URL;
  /** Where its compiled form is kept. */
  readonly compiled: string | undefined;
}

/**
 * The engine in one file, made by the first program of this user. Where nothing can be kept or bundled, its sources.
 */
export async function loadEngine(cacheDirectory: string): Promise<EngineCode> {
  const entry = join(import.meta.dirname, "engine-entry.ts");
  const bundle = await keptBundle({ entry, cacheDirectory, local: true }).catch(() => undefined);
  if (bundle?.path === undefined)
    return { file: new URL("engine-entry.ts", import.meta.url), compiled: undefined };
  return { file: bundle.path, compiled: join(dirname(bundle.path), "compiled") };
}
