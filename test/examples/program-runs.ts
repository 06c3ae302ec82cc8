import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { expect, onTestFinished } from "vitest";
import type { Hands, JobInfo } from "../../customer/index.ts";
import { readImages, type ImageSet, type ReadOptions } from "../../examples/lib/images.ts";
import type { LivePlatform } from "../customer/live-platform.ts";
import { root, startNode, type Running } from "../support/processes.ts";

/** A new empty directory, removed when the test is over. */
export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-examples-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Reads images as the programs do. @returns the warnings, too */
export async function readWithWarnings(
  path: string,
  options: Partial<ReadOptions> = {},
): Promise<ImageSet & { warnings: string[] }> {
  const warnings: string[] = [];
  const set = await readImages(path, { warn: (warning) => warnings.push(warning), ...options });
  return { ...set, warnings };
}

/** Starts an example program on a platform, as a user would. */
function startProgram(platform: LivePlatform, name: string, flags: readonly string[]): Running {
  const args = [join(root, "examples", `${name}.ts`), "--parallel", platform.url, ...flags];
  const program = startNode(args, { env: platform.environment });
  onTestFinished(program.kill);
  return program;
}

/** Runs a program to its end. @returns its standard output */
export async function runToEnd(
  platform: LivePlatform,
  name: string,
  flags: readonly string[],
): Promise<string> {
  const program = startProgram(platform, name, flags);
  const code = await program.ended;
  expect(code, program.log()).toBe(0);
  return program.output();
}

/** Starts a program and kills it with SIGKILL when its jobs satisfy a condition. */
export async function killWhen(
  platform: LivePlatform,
  hands: Hands,
  [name, flags]: readonly [name: string, flags: readonly string[]],
  condition: (jobs: JobInfo[]) => boolean,
): Promise<void> {
  const program = startProgram(platform, name, flags);
  await expect.poll(async () => condition(await hands.jobs()), { timeout: 60_000, interval: 20 }).toBe(true);
  program.process.kill("SIGKILL");
  await program.ended;
}

/** Expects a picture of many shades, not an empty sheet. */
export async function expectPicture(path: string): Promise<void> {
  const { data } = PNG.sync.read(await readFile(path));
  const shades = new Set(new Uint32Array(data.buffer, data.byteOffset, data.length / 4));
  expect(shades.size).toBeGreaterThan(50);
}
