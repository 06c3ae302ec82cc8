import { rolldown, type Plugin as RolldownPlugin } from "rolldown";
import type { Plugin } from "vite";
import { commonCode } from "./common-code.ts";

/**
 * Emits self-contained scripts:
 *
 * - in `sandbox.html`, inline: the page has an opaque origin and a Content-Security-Policy that lets it fetch nothing. The source of its
 *   workers is a string in that script, without the common code, which the volunteer page hands over.
 * - `arbiter.js`, a shared worker: every build of the page must name the same worker, so the name carries no hash.
 * - `portable.js`, a module that the page hands to a worker whose kernel needs it.
 * - `webgpu.js`, an expression that makes `giveWebGpu`, which the page hands to workers whose kernels have WebGPU.
 */
export function standaloneScripts(entries: {
  frame: string;
  worker: string;
  commonCode: string;
  arbiter: string;
  portable: string;
  webgpu: string;
}): Plugin {
  return {
    name: "manyhands-standalone-scripts",
    apply: "build",
    async generateBundle() {
      const worker = await bundle(entries.worker, "iife", commonCode(entries.commonCode, "worker"));
      const frame = await bundle(entries.frame, "iife", workerSource(worker));
      this.emitFile({ type: "asset", fileName: "sandbox.html", source: page(frame) });
      this.emitFile({ type: "asset", fileName: "arbiter.js", source: await bundle(entries.arbiter) });
      this.emitFile({ type: "asset", fileName: "portable.js", source: await bundle(entries.portable, "es") });
      const webgpu = await bundle(entries.webgpu, "iife");
      this.emitFile({
        type: "asset",
        fileName: "webgpu.js",
        source: `(()=>{${webgpu};return made.giveWebGpu})()`,
      });
    },
  };
}

/** Bundles a module and all its imports into one script. */
async function bundle(
  input: string,
  format: "iife" | "es" = "iife",
  ...plugins: RolldownPlugin[]
): Promise<string> {
  const build = await rolldown({ input, platform: "browser", plugins });
  const { output } = await build.generate({ format, name: "made", minify: true, comments: false });
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
  // These sequences would end the script element or change how it is read (HTML standard, "script data state").
  const safe = script.replaceAll(/<(?=\/script|!--|script)/gi, "\\x3c").trim();
  // Title and language are left out: the page is never seen, and its size delays a volunteer's first task.
  return `<!doctype html><meta charset="utf-8"><script>${safe}</script>`;
}
