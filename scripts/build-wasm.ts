/**
 * Compiles the kernels' WebAssembly, and the sandboxes' own, and writes it into the modules that import it: `npm run build:wasm`. A kernel
 * is one module that fetches nothing, so it carries the bytes, as text.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..");

/** Folders of a binary.ts made from assembly/. */
export const wasmFolders = [
  join("science", "kernels", "wasm"),
  join("shared", "client", "sandbox", "portable"),
] as const;

/** No runtime, because nothing is allocated, and no checks of arguments, which the callers check. */
const flags = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd"];

/** The text of a folder's module, made from its sources. @throws Error with the message of the compiler */
export async function compileWasm(folder: string): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "manyhands-wasm-"));
  try {
    const compiler = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
    const output = join(scratch, "kernels.wasm");
    const options = [join("assembly", "index.ts"), ...flags, "--outFile", output];
    await promisify(execFile)(process.execPath, [compiler, ...options], { cwd: join(root, folder) });
    return moduleOf(await readFile(output));
  } finally {
    await rm(scratch, { recursive: true });
  }
}

function moduleOf(wasm: Buffer): string {
  const lines = wasm.toString("base64").match(/.{1,104}/g) ?? [];
  return [
    "// Made by `npm run build:wasm` from assembly/; do not edit.",
    "",
    "/** The module's bytes. */",
    "export const wasmBase64 =",
    `${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
}

if (import.meta.main)
  for (const folder of wasmFolders)
    await writeFile(join(root, folder, "binary.ts"), await compileWasm(folder));
