import { rolldown, type Plugin } from "rolldown";

const virtualId = "virtual:common-code";

interface CommonCode {
  /** Resolved ids of the modules in the script. */
  readonly modules: ReadonlySet<string>;
  readonly names: readonly string[];
  /** A self-contained script that makes a variable `made` of all exports. */
  readonly script: string;
}

/**
 * Lets the page and its sandboxes' workers share code that crosses the wire once: 11 KB of MessagePack, comlink and errors. The sandbox
 * page can load nothing, so code of its workers comes in the sandbox page or from the volunteer page. In the volunteer page the common
 * code is one self-contained function: the page calls it, and hands its source text to the sandbox.
 *
 * @param entry - module that re-exports the common code by name; its sources are common wherever they are imported
 * @param side - in the worker the code is a variable `commonCode` already
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
      { name: "without-remedies", transform: withoutRemedies },
    ],
  });
  const { output } = await build.generate({ format: "iife", name: "made", minify: true, comments: false });
  await build.close();
  const [{ code: script, exports: names }] = output;
  return { modules, names, script };
}

/**
 * Leaves remedies out of the table of errors, 1 KB on the way to the first task: the page and its kernels show those alone that come with
 * a server's refusal.
 */
function withoutRemedies(code: string, id: string): string | undefined {
  if (!id.endsWith("/shared/errors.ts")) return undefined;
  const shorter = code.replaceAll(/(\brow\(\s*(?:true|false),\s*\d+,\s*\d+,\s*)"[^"]*"/g, '$1""');
  if (shorter === code) throw new Error("The table of errors has no remedies where they are expected.");
  return shorter;
}
