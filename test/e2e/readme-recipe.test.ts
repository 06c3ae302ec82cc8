import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kernelModule, type Hands } from "../../customer/index.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { launcher, root } from "../support/processes.ts";
import type * as recipeKernel from "./kernels/readme-recipe.ts";

let platform: LivePlatform;
let hands: Hands;
let client: ChildProcess | undefined;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 0 });
  hands = await platform.connect();
});
afterAll(async () => {
  await stopClient();
  await platform.close();
});

function startClient(): void {
  const cache = join(platform.directory, "cache");
  client = spawn(
    process.execPath,
    [launcher, "client", "--server", platform.url, "--slots", "2", "--cache-dir", cache],
    { env: platform.environment, stdio: "ignore" },
  );
}

async function stopClient(): Promise<void> {
  if (client?.exitCode !== null) return;
  const exited = once(client, "exit");
  client.kill("SIGTERM");
  await exited;
}

const numbersEach = 65_536;
const blobs = 60;
/** Pixels that differ between blobs, and so do their sums. */
const pixelsOf = (blob: number): Float32Array =>
  Float32Array.from({ length: numbersEach }, (_, i) => (i % 7) + blob);
const sumOf = (blob: number): number => pixelsOf(blob).reduce((sum, pixel) => sum + pixel, 0);

test("[VALUE-2] the recipe of the README gives the right pixels from a cold cache and, after a restart of the client, a warm one", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const recipe = /new Float32Array\(\(await ctx\.data\(image\)\)[^;]*/.exec(readme)?.[0];
  const kernel = await readFile(join(import.meta.dirname, "kernels", "readme-recipe.ts"), "utf8");
  // The test uses the recipe as the README has it.
  expect(kernel).toContain(`${recipe};`);
  const images = await Promise.all(
    Array.from({ length: blobs }, (_, blob) => hands.put(new Uint8Array(pixelsOf(blob).buffer))),
  );
  const sums = images.map((_, blob) => sumOf(blob));
  const inputs = images.map((image) => ({ image }));
  const module = kernelModule<typeof recipeKernel>(new URL("./kernels/readme-recipe.ts", import.meta.url));
  for (const run of ["cold", "warm"]) {
    startClient();
    expect(await hands.map(module, inputs, { name: run, maxAttempts: 1 })).toEqual(
      sums.map((sum) => [sum, sum, sum]),
    );
    await stopClient();
  }
});
