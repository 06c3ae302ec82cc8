import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { sandboxPage } from "./build/sandbox-page.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  publicDir: here("public"),
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [sandboxPage({ frame: here("sandbox/frame.ts"), worker: here("sandbox/worker.ts") })],
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    // The pages' Content-Security-Policy allows no inline code and no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: {
        volunteer: here("index.html"),
        admin: here("admin.html"),
        // Loaded by `new SharedWorker`: every build of the page has to name the same one, so its name carries no hash.
        arbiter: here("client/arbiter.ts"),
      },
      output: {
        entryFileNames: ({ name }) => (name === "arbiter" ? "arbiter.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
