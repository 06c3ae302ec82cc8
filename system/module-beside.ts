import { extname } from "node:path";

/**
 * Address of a module in the folder of another, for those that are started and not imported. Its extension is that of the other: `.ts`
 * in a clone, `.js` in the package.
 *
 * @param base - `import.meta.url` of the other module
 * @param path - relative path without extension
 */
export function moduleBeside(base: string, path: string): URL {
  return new URL(path + extname(base), base);
}
