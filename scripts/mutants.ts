/**
 * Plants each fault of planted-faults.ts in a copy of this repository and runs the tests that have to fail with it:
 * `node scripts/mutants.ts [part of a name …]`. Exits with 1 when a fault survived.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { plantedFaults, type PlantedFault } from "./planted-faults.ts";

const root = join(import.meta.dirname, "..");
/** A fault that makes a test wait for ever is seen by the clock. */
const longestMs = 600_000;

const wanted = process.argv.slice(2);
const faults = plantedFaults.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const sound = new Set<string>();
const copy = mkdtempSync(join(tmpdir(), "manyhands-mutants-"));
try {
  copyRepository();
  const survivors = faults.filter((fault) => !isKilled(fault));
  console.log(`${faults.length - survivors.length} of ${faults.length} planted faults were seen`);
  for (const { name, file } of survivors) console.log(`survived: ${name} (${file})`);
  process.exitCode = survivors.length > 0 ? 1 : 0;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** What git knows and does not ignore, as it is now; packages and built pages are those of the original. */
function copyRepository(): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
  });
  for (const file of listed.toString().split("\0"))
    if (file && existsSync(join(root, file))) cpSync(join(root, file), join(copy, file));
  for (const folder of ["node_modules", "dist"])
    if (existsSync(join(root, folder))) symlinkSync(join(root, folder), join(copy, folder));
}

function isKilled(fault: PlantedFault): boolean {
  mustPass(fault.tests);
  const path = join(copy, fault.file);
  const before = readFileSync(path, "utf8");
  const parts = before.split(fault.find);
  if (parts.length !== 2)
    throw new Error(`"${fault.name}" stands ${parts.length - 1} times in ${fault.file}`);
  writeFileSync(path, parts.join(fault.replace));
  const killed = !passes(fault.tests);
  writeFileSync(path, before);
  console.log(`${killed ? "seen    " : "SURVIVED"}  ${fault.name}`);
  return killed;
}

/** Tests that fail anyway see nothing. */
function mustPass(tests: readonly string[]): void {
  const fresh = tests.filter((test) => !sound.has(test));
  if (fresh.length > 0 && !passes(fresh)) throw new Error(`these fail without any fault: ${fresh.join(" ")}`);
  for (const test of fresh) sound.add(test);
}

function passes(tests: readonly string[]): boolean {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--bail", "1", "--retry", "0", "--reporter", "dot", ...tests];
  const { status } = spawnSync(process.execPath, args, {
    cwd: copy,
    timeout: longestMs,
    killSignal: "SIGKILL",
    stdio: "ignore",
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
  });
  return status === 0;
}
