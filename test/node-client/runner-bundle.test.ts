import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { loadRunnerBundle } from "../../node-client/sandbox/runner-bundle.ts";
import { kernelVectors } from "../contract/kernel-vectors.ts";
import { runVector } from "../contract/run-vector.ts";
import { temporaryDirectory } from "../support/processes.ts";

it("is made once and kept; a damaged one is made again", async () => {
  const directory = await temporaryDirectory();
  const code = await loadRunnerBundle(directory);
  const [name] = await readdir(join(directory, "runner"));
  const path = join(directory, "runner", name!);
  const kept = await readFile(path, "utf8");
  expect(kept.endsWith(code)).toBe(true);
  await writeFile(path, kept.slice(0, -100));
  // Another spelling of the directory: what this process remembers is by name.
  expect(await loadRunnerBundle(`${directory}/`)).toBe(code);
  expect(await readFile(path, "utf8")).toBe(kept);
});

it("tells kernels nothing of where it lies", async () => {
  const code = await loadRunnerBundle(await temporaryDirectory());
  expect(code).not.toContain(process.cwd());
});

it("sandboxes start where nothing can be kept", async () => {
  const directory = join(await temporaryDirectory(), "file");
  await writeFile(directory, "in the way");
  const sandboxes = createProcessSandboxes({ cacheDirectory: directory });
  expect(await runVector(sandboxes, kernelVectors[0]!)).toMatchObject({ state: "done", output: 144 });
});
