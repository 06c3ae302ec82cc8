import { spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root, startNode, temporaryDirectory } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";

const missing = spawnSync("mpirun", ["--version"]).error !== undefined;

const small = ["--box", "32", "--snr", "1"];

it.skipIf(missing)(
  `[MPI-1] simmx, class-average and reconstruct write the same files under mpi:2 as under thread:2, bit for bit${skipped(missing, "mpirun is not installed; Debian: openmpi-bin")}`,
  async () => {
    const [threads, ranks] = [await temporaryDirectory(), await temporaryDirectory()];
    await runPrograms("thread:2", threads);
    await runPrograms(`mpi:2:${await temporaryDirectory()}`, ranks);
    const files = await filesOf(threads);
    expect(files).toEqual(
      expect.arrayContaining(["simmx/simmx.mrcs", "averages/averages.mrcs", "map/map.mrc"]),
    );
    expect(await filesOf(ranks)).toEqual(files);
    const differing: string[] = [];
    for (const file of files) {
      const [one, other] = [await readFile(join(threads, file)), await readFile(join(ranks, file))];
      if (!one.equals(other)) differing.push(file);
    }
    expect(differing).toEqual([]);
  },
  // Six programs, each of which starts and ends its own server and clients.
  180_000,
);

/** Runs all three programs, the second on the results of the first. */
async function runPrograms(parallel: string, out: string): Promise<void> {
  const run = (name: string, ...flags: string[]): Promise<string> =>
    runProgram(name, ["--parallel", parallel, ...flags]);
  const simmx = join(out, "simmx");
  const sample = ["--sample", "32", "--block", "8", ...small];
  expect(await run("simmx", ...sample, "--out", simmx)).toMatch(/^32 particles × 8 references/);
  const references = ["--references", join(simmx, "sample", "references.mrcs"), "--resolution", "16"];
  const classes = join(simmx, "classes.star");
  const averages = await run("class-average", classes, ...references, "--out", join(out, "averages"));
  expect(averages).toMatch(/^8 averages of \d+ of 32 particles/);
  const steps = ["--sample", "40", "--sym", "D2", "--iterations", "1", "--view-step", "15"];
  const map = await run("reconstruct", ...steps, ...small, "--out", join(out, "map"));
  expect(map).toMatch(/^40 particles, D2: /);
}

async function runProgram(name: string, flags: readonly string[]): Promise<string> {
  const program = startNode([join(root, "examples", `${name}.ts`), ...flags]);
  const code = await program.ended;
  expect(code, program.log()).toBe(0);
  return program.output();
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1)).toSorted();
}
