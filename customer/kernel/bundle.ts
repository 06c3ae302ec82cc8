import { stat } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { Plugin, RolldownOutput } from "rolldown";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { portablePowers } from "./powers.ts";

/** A kernel module as one text. */
export interface KernelBundle {
  readonly source: string;
  /** Names of the module's exports. */
  readonly exports: readonly string[];
}

interface Bundled extends KernelBundle {
  /** The bundled files, with their modification times. */
  readonly files: ReadonlyMap<string, number>;
}

/** Bundles of this process by the path or the text of the kernel; valid until one of their files is modified. */
const cache = new Map<string, Bundled>();

/**
 * Bundles a kernel module and all its imports into one ES module that runs in browsers and Node alike. The same files give the
 * same text, for any working directory.
 * @throws PlatformError BAD_ARGUMENT when the module does not bundle, imports a Node module, or has no default export
 */
export async function bundleKernel(url: URL): Promise<KernelBundle> {
  if (url.protocol !== "file:")
    throw new PlatformError(
      "BAD_ARGUMENT",
      `A kernel module is a file; expected a file: URL, not ${url.href}.`,
    );
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => undefined);
  if (!found || found.isDirectory())
    throw new PlatformError(
      "FILE_FAILED",
      `There is no kernel module ${path}; expected the path of a file${found ? ", and this is a directory" : ""}.`,
    );
  return cachedBundle(path, path);
}

/**
 * Bundles an ES module that is no file, and the files that it imports by their absolute paths.
 * @param path - one of those files, for messages; relative names in the text are seen from its directory
 */
export async function bundleText(text: string, path: string): Promise<KernelBundle> {
  return cachedBundle(path, text, text);
}

async function cachedBundle(path: string, key: string, text?: string): Promise<KernelBundle> {
  const cached = cache.get(key);
  if (cached && (await isFresh(cached))) return cached;
  const bundled = await bundle(path, text);
  cache.set(key, bundled);
  return bundled;
}

async function isFresh(bundled: Bundled): Promise<boolean> {
  const times = await Promise.all(
    [...bundled.files].map(async ([path, time]) => (await modified(path)) === time),
  );
  return times.every(Boolean);
}

async function modified(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => -1,
  );
}

async function bundle(path: string, text?: string): Promise<Bundled> {
  const watch: Watch = { files: new Set(), refused: undefined };
  const { output } = await build(path, watch, text);
  const [chunk] = output;
  if (!chunk.exports.includes("default"))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The kernel module ${path} has no default export; expected \`export default (input, ctx) => …\`.`,
    );
  const missing = [...chunk.imports, ...chunk.dynamicImports].filter((name) => name !== chunk.fileName);
  if (missing.length > 0)
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The kernel module ${path} imports ${missing.join(", ")}, which was not found; install it, or correct the path.`,
    );
  const files = [...watch.files].map(async (file) => [file, await modified(file)] as const);
  return {
    source: await portablePowers(chunk.code),
    exports: chunk.exports,
    files: new Map(await Promise.all(files)),
  };
}

/** Observations during bundling. */
interface Watch {
  /** Files that the bundler read, also those without code in the bundle. */
  readonly files: Set<string>;
  /** The refusal is kept here, because the bundler changes errors of plugins. */
  refused: PlatformError | undefined;
}

async function build(path: string, watch: Watch, text?: string): Promise<RolldownOutput> {
  // The bundler is loaded on demand: most commands and many programs never bundle.
  const { rolldown } = await import("rolldown");
  try {
    const build = await rolldown({
      input: text === undefined ? path : entry,
      // Paths in the bundle's comments are relative to this directory, so that the text does not depend on the working
      // directory.
      cwd: dirname(path),
      platform: "neutral",
      resolve: {
        mainFields: ["browser", "module", "main"],
        conditionNames: ["browser", "import", "default"],
      },
      moduleTypes: { ".wasm": "binary" },
      plugins: [...(text === undefined ? [] : [entryOf(text)]), noNodeModules(path, watch)],
      logLevel: "silent",
    });
    try {
      return await build.generate({ format: "esm", codeSplitting: false, sourcemap: false, minify: false });
    } finally {
      await build.close();
    }
  } catch (error) {
    if (watch.refused) throw watch.refused;
    // The bundler colours its messages when standard output is a terminal.
    const message = stripVTControlCharacters(messageOf(error));
    throw new PlatformError("BAD_ARGUMENT", `The kernel module ${path} cannot be bundled: ${message}`, error);
  }
}

const entry = "\0manyhands:entry";

/** Makes a text the module that is bundled. */
function entryOf(text: string): Plugin {
  return {
    name: "manyhands-entry",
    resolveId: (id) => (id === entry ? id : null),
    load: (id) => (id === entry ? text : null),
  };
}

const absent = "\0manyhands:absent:";

/**
 * Refuses Node's own modules. A `require` or dynamic import of such a module becomes a module that throws when it is reached:
 * packages for both platforms keep such a branch for Node and never take it here.
 */
function noNodeModules(kernel: string, watch: Watch): Plugin {
  return {
    name: "manyhands-no-node-modules",
    resolveId(id, importer, { kind }) {
      if (!isBuiltin(id)) return null;
      if (kind !== "import-statement") return absent + id;
      watch.refused ??= new PlatformError(
        "BAD_ARGUMENT",
        `${importer ?? kernel} imports "${id}", a module of Node, but a kernel also runs in browsers and reaches no files, ` +
          "processes or network. Read the data in your program and pass it as input or with hands.put().",
      );
      throw new Error(`${id} is a module of Node`);
    },
    load(id) {
      if (!id.startsWith("\0")) watch.files.add(id);
      if (!id.startsWith(absent)) return null;
      const name = JSON.stringify(id.slice(absent.length));
      return `throw new Error(${name} + " is a module of Node; a kernel does not have it");`;
    },
  };
}
