import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate/browser";

/** Makes a wheel, a zip archive of files and what they are. @returns its path */
export async function makeWheel(
  folder: string,
  file: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  requires: readonly string[] = [],
): Promise<string> {
  const [name, version] = file.split("-") as [string, string];
  const metadata = [
    "Metadata-Version: 2.1",
    `Name: ${name}`,
    `Version: ${version}`,
    ...requires.map((each) => `Requires-Dist: ${each}`),
    "",
    "Requires-Dist: what the description says",
  ];
  const all = {
    ...files,
    [`${name}-${version}.dist-info/METADATA`]: metadata.join("\n"),
    [`${name}-${version}.dist-info/WHEEL`]: "Wheel-Version: 1.0\n",
  };
  const entries = Object.entries(all).map(([path, content]): [string, Uint8Array] => [
    path,
    typeof content === "string" ? strToU8(content) : content,
  ]);
  const path = join(folder, file);
  await writeFile(path, zipSync(Object.fromEntries(entries)));
  return path;
}

const source = join(import.meta.dirname, "programs", "fast.c");

/** A module of Python in C, as a library of WebAssembly that Pyodide loads; undefined without clang and lld for WebAssembly. */
export const extension = ((): Uint8Array | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "manyhands-extension-"));
  const [object, library] = [join(folder, "fast.o"), join(folder, "fast.so")];
  const compile = ["--target=wasm32-unknown-emscripten", "-fPIC", "-O2", "-fvisibility=hidden", "-c", source];
  const link = ["-shared", "--experimental-pic", "--allow-undefined", "--export=PyInit_fast", object];
  const done =
    spawnSync("clang", [...compile, "-o", object]).status === 0 &&
    spawnSync("wasm-ld", [...link, "-o", library]).status === 0;
  return done ? readFileSync(library) : undefined;
})();

/** Name of the file of the module in C in a wheel, and of the wheel. */
export const extensionFile = "fast.cpython-314-wasm32-emscripten.so";
export const extensionWheel = "fast-1.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl";
