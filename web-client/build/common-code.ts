import { rolldown, type Plugin } from "rolldown";

const virtualId = "virtual:common-code";

interface CommonCode {
  /** Resolved ids of the modules whose code it holds. */
  readonly modules: ReadonlySet<string>;
  readonly names: readonly string[];
  /** One self-contained script that makes a variable `made` of all exports. */
  readonly script: string;
}

/**
 * Lets the page and its sandboxes' workers share code that crosses the wire once. The sandbox page can load nothing, so whatever its
 * workers run has to come in it, or from the page: there this code is one self-contained function, which the page calls for its own use
 * and whose source text it hands to the sandbox. (Without: 11 KB of MessagePack, comlink and errors twice.)
 *
 * @param entry - module that re-exports what is shared by name; its sources become shared wherever they are imported
 * @param side - "worker": the code is already there, as a variable `commonCode`
 */
export function commonCode(entry: string, side: "page" | "worker"): Plugin {
  let made: Promise<CommonCode> | undefined;
  return {
    name: "manyhands-common-code",
    async resolveId(source, importer, options) {
      if (source === virtualId) return virtualId;
      if (!importer || importer === virtualId) return null;
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      const { modules } = await (made ??= bundleCommonCode(entry));
      return resolved && modules.has(resolved.id) ? virtualId : resolved;
    },
    async load(id) {
      if (id !== virtualId) return null;
      const { script, names } = await (made ??= bundleCommonCode(entry));
      if (side === "worker") return `export const { ${names.join(", ")} } = commonCode;`;
      return `function make() { ${script}; return made; }
export const { ${names.join(", ")} } = make();
export const commonCode = make.toString();`;
    },
  };
}

async function bundleCommonCode(input: string): Promise<CommonCode> {
  const modules = new Set<string>();
  const build = await rolldown({
    input,
    platform: "browser",
    plugins: [
      {
        name: "sources-of-the-entry",
        moduleParsed: (module) => {
          if (module.isEntry) for (const id of module.importedIds) modules.add(id);
        },
      },
    ],
  });
  const { output } = await build.generate({ format: "iife", name: "made", minify: true, comments: false });
  await build.close();
  const [{ code: script, exports: names }] = output;
  return { modules, names, script };
}
