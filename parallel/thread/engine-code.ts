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
 *
 * connect() to the first result on two idle cores, medians: from sources, compiled before, 385 ms; in one file 265 ms, of which
 * sandboxes that come up while the engine is loaded are 80; without the list of media types, and with HTTP loaded beside it
 * in the program's thread, 205 ms. The first program after a change waits 0.9 s for the bundler.
 */
export async function loadEngine(cacheDirectory: string): Promise<EngineCode> {
  const entry = join(import.meta.dirname, "engine-entry.ts");
  const bundle = await keptBundle({ entry, cacheDirectory, local: true }).catch(() => undefined);
  if (bundle?.path === undefined)
    return { file: new URL("engine-entry.ts", import.meta.url), compiled: undefined };
  return { file: bundle.path, compiled: join(dirname(bundle.path), "compiled") };
}
