// Makes dist/node, the part of the npm package beside the pages: the modules of Node as JavaScript with types and source maps, the
// program of the sandboxes, and the client in one file.
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MadeBundle } from "../node-client/bundle/make-bundle.ts";
import { packageRoot } from "../system/package-root.ts";

const built = join(packageRoot, "dist", "node");
/** Files that modules read from their own folder. */
const assets = ["parallel/mpi/rank.sh", "science/draw/glyphs.json", "science/draw/glyphs.png"];

rmSync(built, { recursive: true, force: true });
run(join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.package.json");
for (const file of globSync("**/*.d.ts", { cwd: built })) nameBuiltModules(join(built, file));
for (const asset of assets) copyFileSync(join(packageRoot, asset), join(built, asset));
writeFileSync(
  join(built, "node-client", "sandbox", "runner.mjs"),
  bundle(join("node-client", "sandbox", "entry.ts")),
);

writeFileSync(join(built, "manyhands-client.mjs"), bundle(join("bin", "client.ts"), "alone"));

/** Names compiled modules in the imports of a declaration, where the compiler leaves the names of sources. */
function nameBuiltModules(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"'));
}

function bundle(...what: string[]): string {
  return (JSON.parse(run(join("node-client", "bundle", "make-bundle.ts"), ...what)) as MadeBundle).code;
}

/** Runs a script of Node. @returns its output */
function run(...command: readonly string[]): string {
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const maxBuffer = 64 * 1024 ** 2;
  const options = { cwd: packageRoot, encoding: "utf8", maxBuffer } as const;
  const { status, stdout } = spawnSync(process.execPath, command, { ...options, stdio: [...stdio] });
  if (status === 0) return stdout;
  process.stderr.write(stdout);
  throw new Error(`${command.join(" ")} failed`);
}
