import { rolldown, type Plugin as RolldownPlugin } from "rolldown";
import type { Plugin } from "vite";
import { commonCode } from "./common-code.ts";

/**
 * Emits what must be one self-contained classic script each, whatever else is bundled:
 *
 * - `sandbox.html`: one page, one inline script, nothing else to load. The page has an opaque origin and a
 *   Content-Security-Policy that lets it fetch nothing, so the source of its workers travels inside the script as a string, but
 *   for what the page has as well and hands over (`commonCode`).
 * - `arbiter.js`, a shared worker: every build of the page has to name the same one, so its name carries no hash.
 */
export function standaloneScripts(entries: {
  frame: string;
  worker: string;
  commonCode: string;
  arbiter: string;
}): Plugin {
  return {
    name: "manyhands-standalone-scripts",
    apply: "build",
    async generateBundle() {
      const worker = await bundle(entries.worker, commonCode(entries.commonCode, "worker"));
      const frame = await bundle(entries.frame, workerSource(worker));
      this.emitFile({ type: "asset", fileName: "sandbox.html", source: page(frame) });
      this.emitFile({ type: "asset", fileName: "arbiter.js", source: await bundle(entries.arbiter) });
    },
  };
}

/** One self-contained classic script. */
async function bundle(input: string, ...plugins: RolldownPlugin[]): Promise<string> {
  const build = await rolldown({ input, platform: "browser", plugins });
  const { output } = await build.generate({ format: "iife", minify: true, comments: false });
  await build.close();
  if (output.length !== 1) throw new Error(`${input} did not become one self-contained script`);
  return output[0].code;
}

/** `virtual:worker-source` stands for the source text given. */
function workerSource(source: string): RolldownPlugin {
  const virtualId = "virtual:worker-source";
  return {
    name: "worker-source",
    resolveId: (id) => (id === virtualId ? id : null),
    load: (id) => (id === virtualId ? `export const workerSource = ${JSON.stringify(source)};` : null),
  };
}

function page(script: string): string {
  // Inside a script element these two would end it or change how it is read (HTML standard, "script data state").
  const safe = script.replaceAll(/<(?=\/script|!--|script)/gi, "\\x3c").trim();
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Manyhands sandbox</title>
<script>${safe}</script>
</html>
`;
}
