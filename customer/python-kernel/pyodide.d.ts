/** The part of Pyodide that a kernel uses. */
interface Pyodide {
  readonly FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, text: string): void;
  };
  runPython(code: string): unknown;
  pyimport(name: string): unknown;
}

declare module "pyodide/pyodide.mjs" {
  export function loadPyodide(options: Readonly<Record<string, unknown>>): Promise<Pyodide>;
}

declare module "pyodide/pyodide.asm.mjs" {
  const createPyodideModule: unknown;
  export default createPyodideModule;
}
