import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { secondPage } from "./build/second-page.ts";
import { standaloneScripts } from "./build/standalone-scripts.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  publicDir: here("public"),
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [
    standaloneScripts({
      frame: here("sandbox/frame.ts"),
      worker: here("sandbox/worker.ts"),
      arbiter: here("client/arbiter.ts"),
    }),
    secondPage(here("admin.html")),
  ],
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    // The pages' Content-Security-Policy allows no inline code and no data: URLs.
    assetsInlineLimit: 0,
    // One script a page: there is nothing to load ahead.
    modulePreload: false,
    target: "es2022",
    rolldownOptions: {
      input: { volunteer: here("index.html") },
    },
  },
});
