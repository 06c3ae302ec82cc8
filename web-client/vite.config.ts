import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { commonCode } from "./build/common-code.ts";
import { compressedFiles } from "./build/compressed-files.ts";
import { inlineHead } from "./build/inline-head.ts";
import { plainImports } from "./build/plain-imports.ts";
import { secondPage } from "./build/second-page.ts";
import { standaloneScripts } from "./build/standalone-scripts.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  // Addresses are relative, because a proxy may put the pages under a path of its own.
  base: "./",
  publicDir: here("public"),
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [
    // The plugin comes before Vite's own resolution of imports.
    { ...commonCode(here("sandbox/common-code.ts"), "page"), enforce: "pre" },
    plainImports(),
    inlineHead(),
    standaloneScripts({
      frame: here("sandbox/frame.ts"),
      worker: here("sandbox/worker.ts"),
      commonCode: here("sandbox/common-code.ts"),
      arbiter: here("client/arbiter.ts"),
      portable: here("sandbox/portable.ts"),
      webgpu: here("sandbox/webgpu.ts"),
    }),
    compressedFiles(),
    secondPage(here("admin.html")),
  ],
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    // The pages' Content-Security-Policy allows data: URLs for images alone.
    assetsInlineLimit: 0,
    // A page has one script, so there is nothing to load ahead.
    modulePreload: false,
    target: "es2022",
    rolldownOptions: {
      input: { volunteer: here("index.html") },
      // The compressed forms take most of the time, and are worth it.
      checks: { pluginTimings: false },
    },
  },
});
