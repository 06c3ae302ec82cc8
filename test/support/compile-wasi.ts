import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const sysroot = ["--target=wasm32-wasi", "--sysroot=/usr"];

/** Whether this machine compiles C to WASI: Debian's clang, lld, wasi-libc and libclang-rt-14-dev-wasm32. */
export const compilesWasi = ((): boolean => {
  const args = [...sysroot, "-x", "c", "-o", join(mkdtempSync(join(tmpdir(), "manyhands-wasi-")), "a"), "-"];
  return spawnSync("clang", args, { input: "int main(void) { return 0; }" }).status === 0;
})();

/** Compiles a C file to a program of WASI. @returns the path of the program */
export function compileWasi(source: string, directory: string, options: readonly string[] = []): string {
  const program = join(directory, `${source.replace(/^.*\/|\.c$/g, "")}.wasm`);
  const { status, stderr } = spawnSync("clang", [
    ...sysroot,
    "-O2",
    ...options,
    "-o",
    program,
    source,
    "-lm",
  ]);
  if (status !== 0) throw new Error(`clang failed: ${String(stderr)}`);
  return program;
}
