// Makes dist/node, the part of the npm package beside the pages: the modules of Node as JavaScript with types and source maps, the
// program of the sandboxes, and the client in one file.
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeBundle } from "../node-client/bundle/kept-bundle.ts";
import { packageRoot } from "../system/package-root.ts";

const built = join(packageRoot, "dist", "node");
/** Files that modules read from their own folder. */
const assets = [
  "customer/python-kernel/calls.py",
  "customer/python-kernel/native-worker.py",
  "customer/python-kernel/runner.py",
  "parallel/mpi/rank.sh",
  "science/draw/glyphs.json",
  "science/draw/glyphs.png",
];

rmSync(built, { recursive: true, force: true });
const compiler = join("node_modules", "typescript", "bin", "tsc");
const compiled = spawnSync(process.execPath, [compiler, "-p", "tsconfig.package.json"], {
  cwd: packageRoot,
  stdio: ["ignore", 2, 2],
});
if (compiled.status !== 0) throw new Error("The modules of Node do not compile.");
for (const file of globSync("**/*.d.ts", { cwd: built })) nameBuiltModules(join(built, file));
for (const asset of assets) copyFileSync(join(packageRoot, asset), join(built, asset));
await writeBundle(join("node-client", "sandbox", "runner.mjs"), join("node-client", "sandbox", "entry.ts"));
await writeBundle("manyhands-client.mjs", join("bin", "client.ts"), "alone");

/** Names compiled modules in the imports of a declaration, where the compiler leaves the names of sources. */
function nameBuiltModules(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"'));
}

async function writeBundle(file: string, entry: string, where?: "alone"): Promise<void> {
  const { code } = await makeBundle({ entry: join(packageRoot, entry), ...(where && { where }) });
  writeFileSync(join(built, file), code);
}
