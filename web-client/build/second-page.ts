import { build, type Plugin, type ResolvedConfig } from "vite";
import { compressedFiles } from "./compressed-files.ts";

/**
 * Builds another page after the first, sharing nothing with it. In one build the parts that both use become files of their own, which
 * cost the volunteer page two more requests and 3 KB before its first task.
 */
export function secondPage(input: string): Plugin {
  let config: ResolvedConfig;
  return {
    name: "manyhands-second-page",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    async closeBundle() {
      const { root, base, logLevel = "info", build: first, oxc } = config;
      const { outDir, assetsInlineLimit, target, modulePreload } = first;
      await build({
        configFile: false,
        root,
        base,
        logLevel,
        publicDir: false,
        plugins: [
          {
            name: "manyhands-relative-icon",
            // Vite makes addresses of public files relative in the build that copies them only.
            transformIndexHtml: (html) => html.replace('href="/favicon.svg"', 'href="./favicon.svg"'),
          },
          compressedFiles(),
        ],
        oxc,
        build: {
          outDir,
          emptyOutDir: false,
          assetsInlineLimit,
          target,
          modulePreload,
          rolldownOptions: { input },
        },
      });
    },
  };
}
