/**
 * Plants each fault of planted-faults in a copy of this repository and runs the tests that have to fail with it:
 * `npm run mutants [-- part of a name …]`. Exits with 1 when a fault survived or has lost its place.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { PlantedFault } from "./planted-faults/fault.ts";
import { plantedFaults } from "./planted-faults/index.ts";

const root = join(import.meta.dirname, "..");
/** A fault that makes a test wait for ever is found by this limit. */
const longestMs = 600_000;

type Verdict = "seen" | "survived" | "misplaced";

const wanted = process.argv.slice(2);
const faults = plantedFaults.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
/** Test files that pass without a fault. */
const sound = new Set<string>();
const copy = mkdtempSync(join(tmpdir(), "manyhands-mutants-"));
try {
  copyRepository();
  const count = { seen: 0, survived: 0, misplaced: 0 };
  for (const fault of faults) {
    const verdict = plant(fault);
    count[verdict]++;
    console.log(`${verdict.padEnd(9)}  ${fault.name}${verdict === "seen" ? "" : ` (${fault.file})`}`);
  }
  console.log(`${count.seen} of ${faults.length} planted faults were seen`);
  process.exitCode = count.seen === faults.length ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/**
 * Copies the files that git tracks or does not ignore, in their present state; packages and built pages are links to the
 * original's.
 */
function copyRepository(): void {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  for (const file of execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\0"))
    if (file && existsSync(join(root, file))) cpSync(join(root, file), join(copy, file));
  for (const folder of ["node_modules", "dist"])
    if (existsSync(join(root, folder))) symlinkSync(join(root, folder), join(copy, folder));
}

function plant({ file, find, replace, tests }: PlantedFault): Verdict {
  const path = join(copy, file);
  const before = readFileSync(path, "utf8");
  const parts = before.split(find);
  if (parts.length !== 2) return "misplaced";
  mustPass(tests);
  writeFileSync(path, parts.join(replace));
  const verdict = passes(tests) ? "survived" : "seen";
  writeFileSync(path, before);
  return verdict;
}

/** Tests that fail without the fault prove nothing. */
function mustPass(tests: readonly string[]): void {
  const fresh = tests.filter((test) => !sound.has(test));
  if (fresh.length > 0 && !passes(fresh)) throw new Error(`these fail without any fault: ${fresh.join(" ")}`);
  for (const test of fresh) sound.add(test);
}

function passes(tests: readonly string[]): boolean {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const { status } = spawnSync(
    process.execPath,
    [vitest, "run", "--bail", "1", "--reporter", "dot", ...tests],
    {
      cwd: copy,
      timeout: longestMs,
      killSignal: "SIGKILL",
      stdio: "ignore",
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
    },
  );
  return status === 0;
}
