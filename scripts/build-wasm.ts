/**
 * Compiles the kernels' WebAssembly and writes it into the module they import it from: `npm run build:wasm`. A kernel is one
 * module that fetches nothing, so it carries the bytes, as text.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..");
const directory = join(root, "science", "kernels", "wasm");

/** No runtime, because nothing is allocated, and no checks of arguments, which the callers check. */
const flags = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd"];

/** The text of the module, made from the sources. @throws Error with what the compiler said */
export async function compileWasm(): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "manyhands-wasm-"));
  try {
    const compiler = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
    const output = join(scratch, "kernels.wasm");
    const options = [join("assembly", "index.ts"), ...flags, "--outFile", output];
    await promisify(execFile)(process.execPath, [compiler, ...options], { cwd: directory });
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

if (import.meta.main) await writeFile(join(directory, "binary.ts"), await compileWasm());
