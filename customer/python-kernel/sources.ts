import { readFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { PythonProgram } from "../../shared/wire/python-program.ts";

/** The modules of a program, and its imports that are not among them. */
export type Sources = Required<Pick<PythonProgram, "modules" | "module" | "imports">>;

/**
 * Reads a Python file and the modules of its folder, or of the package that it is in, that it and they import. Imports are recognised in the
 * text: also those inside of functions.
 * @param name - of the function
 * @throws PlatformError FILE_FAILED; BAD_ARGUMENT for a file that cannot be imported, or has no such function
 */
export async function readProgram(path: string, name: string): Promise<Sources> {
  const root = await rootOf(path);
  const module = relative(root, path).replace(/\.py$/, "").split(sep).join(".");
  if (!/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/.test(module))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The file ${basename(path)} cannot be imported in Python, because of its name; expected letters, digits and _ before .py.`,
    );
  const modules: Record<string, string> = {};
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new PlatformError(
      "FILE_FAILED",
      `The Python file ${path} cannot be read: ${messageOf(error)}.`,
      error,
    );
  });
  if (!mayHave(text, name))
    throw new PlatformError("BAD_ARGUMENT", `The Python file ${basename(path)} has no function ${name}.`);
  const imports = new Set<string>();
  await add(root, module, { modules, imports, text });
  return { modules, module, imports: [...imports].toSorted() };
}

/** Whether a file may have a function: its name is somewhere in the text, or the file takes or makes names that are not. */
function mayHave(text: string, name: string): boolean {
  return new RegExp(`\\b(?:${name}|globals|exec|setattr|__getattr__)\\b|\\bimport\\s*\\*`).test(text);
}

/** The folder from which a file is imported: its own, or the one around its package. */
async function rootOf(path: string): Promise<string> {
  let root = dirname(path);
  while ((await textOf(join(root, "__init__.py"))) !== undefined && dirname(root) !== root)
    root = dirname(root);
  return root;
}

async function add(
  root: string,
  name: string,
  { modules, imports, text }: { modules: Record<string, string>; imports: Set<string>; text?: string },
): Promise<boolean> {
  const path = name.replaceAll(".", "/");
  const at = [`${path}.py`, `${path}/__init__.py`];
  if (at.some((file) => file in modules)) return true;
  for (const [index, file] of at.entries()) {
    const source = text ?? (await textOf(join(root, file)));
    if (source === undefined) continue;
    const isPackage = index === 1 || name.endsWith(".__init__") || name === "__init__";
    modules[file] = source;
    const parent = name.slice(0, Math.max(0, name.lastIndexOf(".")));
    if (parent !== "") await add(root, parent, { modules, imports });
    for (const imported of importsOf(source, isPackage ? name.replace(/\.?__init__$/, "") : parent))
      if (!(await add(root, imported, { modules, imports })) && !imported.includes("."))
        imports.add(imported);
    return true;
  }
  return false;
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

/** Names of modules that a source may import; some may be names in modules instead. */
function importsOf(source: string, itsPackage: string): Set<string> {
  const found = new Set<string>();
  const text = source.replaceAll(/\\\r?\n/g, " ");
  for (const [, list = ""] of text.matchAll(/^[ \t]*import[ \t]+([^#\n;]+)/gm))
    for (const name of list.split(",")) found.add(name.trim().split(/\s/)[0] ?? "");
  for (const [, from = "", open, list = ""] of text.matchAll(
    /^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]*(\()?((?<=\()[^)]*|[^#\n;]*)/gm,
  )) {
    const base = absolute(from, itsPackage);
    if (base === undefined) continue;
    if (base !== "") found.add(base);
    const names = open === undefined ? list : list.replaceAll(/#.*/g, "");
    for (const name of names.split(",")) {
      const first = name.trim().split(/\s/)[0] ?? "";
      if (/^\w+$/.test(first)) found.add(base === "" ? first : `${base}.${first}`);
    }
  }
  return new Set([...found].filter((name) => /^\w+(?:\.\w+)*$/.test(name)).flatMap(withParents));
}

/** `a.b.c` is imported with `a` and `a.b`. */
function withParents(name: string): string[] {
  const parts = name.split(".");
  return parts.map((_, index) => parts.slice(0, index + 1).join("."));
}

/** The absolute name of what stands behind `from`; undefined when it leads out of the package. */
function absolute(from: string, itsPackage: string): string | undefined {
  const dots = /^\.*/.exec(from)![0].length;
  if (dots === 0) return from;
  const parts = itsPackage === "" ? [] : itsPackage.split(".");
  if (dots - 1 > parts.length) return undefined;
  const kept = parts.slice(0, parts.length - (dots - 1));
  const rest = from.slice(dots);
  return [...kept, ...(rest === "" ? [] : [rest])].join(".");
}
