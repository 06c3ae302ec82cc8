import { build, type Plugin, type ResolvedConfig } from "vite";
import { compressedFiles } from "./compressed-files.ts";

/**
 * Builds another page after the first, in a build of its own. In one build, parts of both pages become files of their own, which cost
 * the volunteer page two more requests and 3 KB before its first task.
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
            // Vite makes addresses of public files relative only in the build that copies those files.
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
