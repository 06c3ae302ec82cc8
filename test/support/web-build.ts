import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { build } from "vite";
import { commonCode } from "../../web-client/build/common-code.ts";

const root = join(import.meta.dirname, "..", "..");

/** A build of the pages for one test file. */
export interface WebBuild {
  readonly directory: string;
  dispose(): Promise<void>;
}

/**
 * Builds the pages into a directory of their own, so that a test never sees an old build. `harness` names a module of test/web
 * that becomes `/harness.html` and gives the test access to parts of the page.
 */
export async function buildWeb(harness?: string): Promise<WebBuild> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-web-"));
  await build({
    configFile: join(root, "web-client", "vite.config.ts"),
    build: { outDir: directory },
    logLevel: "error",
  });
  if (harness) await addHarness(directory, harness);
  return { directory, dispose: () => rm(directory, { recursive: true, force: true }) };
}

async function addHarness(directory: string, module: string): Promise<void> {
  const bundle = await rolldown({
    input: join(root, "test", "web", module),
    platform: "browser",
    plugins: [commonCode(join(root, "web-client", "sandbox", "common-code.ts"), "page")],
  });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  await bundle.close();
  await writeFile(join(directory, "harness.js"), output[0].code);
  await writeFile(
    join(directory, "harness.html"),
    `<!doctype html><title>harness</title><link rel="icon" href="/favicon.svg"><body><script type="module" src="/harness.js"></script>`,
  );
}
