import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { expect, onTestFinished } from "vitest";
import type { Hands, JobInfo } from "../../customer/index.ts";
import { root, type LivePlatform } from "../customer/live-platform.ts";

/** A new empty directory, removed when the test is over. */
export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-examples-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts one of the example programs on a platform, as a user would. */
export function startProgram(platform: LivePlatform, name: string, flags: readonly string[]): ChildProcess {
  const args = [join(root, "examples", `${name}.ts`), "--parallel", platform.url, ...flags];
  const child = spawn(process.execPath, args, { env: platform.environment, stdio: "pipe" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Runs one to its end. @returns its standard output */
export async function runToEnd(
  platform: LivePlatform,
  name: string,
  flags: readonly string[],
): Promise<string> {
  const child = startProgram(platform, name, flags);
  let [output, errors] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, errors).toBe(0);
  return output;
}

/** Starts one and ends it as `kill -9` does as soon as its jobs look a certain way. */
export async function killWhen(
  platform: LivePlatform,
  hands: Hands,
  [name, flags]: readonly [name: string, flags: readonly string[]],
  condition: (jobs: JobInfo[]) => boolean,
): Promise<void> {
  const child = startProgram(platform, name, flags);
  const closed = once(child, "close");
  await expect.poll(async () => condition(await hands.jobs()), { timeout: 60_000, interval: 20 }).toBe(true);
  child.kill("SIGKILL");
  await closed;
}

/** A picture that is drawn on, in many shades, not an empty sheet. */
export async function expectPicture(path: string): Promise<void> {
  const { data } = PNG.sync.read(await readFile(path));
  const shades = new Set(new Uint32Array(data.buffer, data.byteOffset, data.length / 4));
  expect(shades.size).toBeGreaterThan(50);
}
