import type { Plugin } from "vite";

/**
 * Leaves `import(…)` as it is. Vite wraps it in a function that loads the style sheets of a part ahead; the volunteer page's parts load
 * theirs by themselves, and the function would be 0.5 KB before the first task.
 */
export function plainImports(): Plugin {
  return {
    name: "manyhands-plain-imports",
    apply: "build",
    enforce: "pre",
    load: (id) =>
      id.endsWith("vite/preload-helper.js") ? "export const __vitePreload = (load) => load();" : null,
  };
}
