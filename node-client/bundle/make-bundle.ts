/**
 * Bundles an entry and all its imports into one module of plain JavaScript, and writes `{code, files}` as JSON to standard output. A
 * program of its own, because the bundler would leave 100 MB in the process that needs the bundle.
 */
import { existsSync, readFileSync } from "node:fs";
import { findPackageJSON, isBuiltin } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown, type Plugin } from "rolldown";
import { moduleBeside } from "../../system/module-beside.ts";
import { packageRoot } from "../../system/package-root.ts";

/** A bundle and the files whose change makes it stale. */
export interface MadeBundle {
  readonly code: string;
  /** Sources, and for each package the file that names its version. */
  readonly files: readonly string[];
}

/** A file of a package, and the folder of that. */
const inPackage = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/].*$/s;

const [entry = "", where = ""] = process.argv.slice(2) as [string?, ("local" | "alone")?];
const seen = new Set<string>([import.meta.filename]);

const plugins = {
  local: () => [ownPlaces(), lazyBuiltins(), fewTypes()],
  alone: () => [ownPrograms(), lazyBuiltins()],
  "": () => [],
}[where];
if (!plugins) throw new Error(`expected "local", "alone" or nothing, not ${where}`);
const code = await bundle(entry, plugins());
const made: MadeBundle = { code, files: [...witnesses()] };
process.stdout.write(JSON.stringify(made));

async function bundle(input: string, more: Plugin[] = []): Promise<string> {
  const build = await rolldown({
    input,
    platform: "node",
    logLevel: "silent",
    plugins: [noteFiles(), ...more],
  });
  // Names are kept, because authors of kernels read them in stacks.
  const { output } = await build.generate({
    format: "esm",
    codeSplitting: false,
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  });
  await build.close();
  return output[0].code;
}

/** Puts the programs that a client starts into its one file. */
function ownPrograms(): Plugin {
  const sandbox = (name: string): string =>
    fileURLToPath(moduleBeside(import.meta.url, `../sandbox/${name}`));
  return {
    name: "manyhands-own-programs",
    async load(id) {
      if (id === sandbox("runner-bundle"))
        return `const code = ${JSON.stringify(await bundle(sandbox("entry")))};
          export const loadRunnerBundle = async () => code;`;
      if (id === sandbox("orphan-guard-script"))
        return `const code = ${JSON.stringify(await bundle(sandbox("orphan-guard-process")))};
          export const orphanGuardArguments = () => ["--input-type=module", "-e", code];`;
      return null;
    },
  };
}

function noteFiles(): Plugin {
  return {
    name: "manyhands-note-files",
    transform(_code, id) {
      if (!id.startsWith("\0")) seen.add(id);
    },
  };
}

/** Keeps `import.meta` of the product's own files, so that they find files beside their sources. */
function ownPlaces(): Plugin {
  return {
    name: "manyhands-own-places",
    transform(code, id) {
      if (isPackaged(id) || !code.includes("import.meta")) return null;
      return code
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)))
        .replaceAll("import.meta.filename", JSON.stringify(id))
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href));
    },
  };
}

/**
 * Takes Node's own modules without a namespace for each: a namespace reads every export, and one of `node:http` loads all of `fetch`,
 * which takes 27 ms.
 */
function lazyBuiltins(): Plugin {
  const prefix = "\0builtin:";
  return {
    name: "manyhands-lazy-builtins",
    resolveId: (id, _importer, { kind }) =>
      isBuiltin(id) && kind === "import-statement" ? prefix + id.replace(/^(?!node:)/, "node:") : null,
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const name = id.slice(prefix.length);
      const exports = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule(name)))
        .filter(([key, found]) => "value" in found && /^[A-Za-z]\w*$/.test(key) && key !== "default")
        .map(([key]) => `${key} = builtin.${key}`);
      return `const builtin = process.getBuiltinModule(${JSON.stringify(name)});
        export default builtin;
        export const ${exports.join(", ")};`;
    },
  };
}

/** Reduces the 2,500 media types of Express to those of the REST interface, because sorting them takes 26 ms. */
function fewTypes(): Plugin {
  const kept = new Set(["application/json", "application/octet-stream", "text/html", "text/plain"]);
  return {
    name: "manyhands-few-types",
    transform(code, id) {
      if (!/[\\/]mime-db[\\/]db\.json$/.test(id)) return null;
      const all = JSON.parse(code) as Record<string, unknown>;
      return JSON.stringify(Object.fromEntries(Object.entries(all).filter(([type]) => kept.has(type))));
    },
  };
}

function* witnesses(): Generator<string> {
  const packages = new Set<string>();
  for (const file of seen)
    if (isPackaged(file)) packages.add(file.replace(inPackage, join("$1", "package.json")));
    else yield file;
  packages.add(findPackageJSON("rolldown", import.meta.url) ?? import.meta.filename);
  yield* packages;
  const installed = join(packageRoot, "node_modules", ".package-lock.json");
  if (existsSync(installed) && readFileSync(installed).length > 0) yield installed;
}

/** Whether a file belongs to another package; this one may be in node_modules itself. */
function isPackaged(file: string): boolean {
  const path = file.startsWith(packageRoot) ? file.slice(packageRoot.length) : file;
  return path.includes(`${sep}node_modules${sep}`);
}
