import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin, Rolldown } from "vite";

/**
 * Puts icon and style sheet into the page. As files they cost three requests, because the browser fetches the icon twice: 2.3 KB with
 * the heads of the replies. The server allows the style by its hash.
 */
export function inlineHead(): Plugin {
  let directory: string;
  return {
    name: "manyhands-inline-head",
    apply: "build",
    configResolved({ publicDir }) {
      directory = publicDir;
    },
    transformIndexHtml: {
      order: "post",
      async handler(html, { bundle = {} }) {
        const icon = await readFile(join(directory, "favicon.svg"), "utf8");
        return withStyle(html.replace("./favicon.svg", dataUrl(icon)), bundle);
      },
    },
  };
}

function dataUrl(svg: string): string {
  return `data:image/svg+xml,${svg.trim().replaceAll('"', "'").replaceAll("#", "%23")}`;
}

function withStyle(html: string, bundle: Rolldown.OutputBundle): string {
  return html.replace(/<link rel="stylesheet"[^>]* href="\.\/([^"]+)">/g, (_link, fileName: string) => {
    const sheet = bundle[fileName];
    if (sheet?.type !== "asset") throw new Error(`The page names ${fileName}, which was not built`);
    delete bundle[fileName];
    return `<style>${String(sheet.source).trim()}</style>`;
  });
}
