import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "./live-platform.ts";
import { root } from "../support/processes.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

/** The last output of each numbered example. */
const printed: Record<string, RegExp> = {
  "01-square.ts": /^\[ 1, 4, 9, 16, 25 \]\n$/,
  "02-stream-and-progress.ts": /^pi is about 3\.14\d* from 1000000 darts\n$/,
  "03-module-kernel.ts": /signal 2: strongest at frequency 90\n$/,
  "04-data-references.ts": /as expected\n$/,
  "05-resume-after-kill.ts": /63951 primes below 800000\n$/,
  "06-failures.ts": /task 2 \(error, 2 attempts[\s\S]*the others: 1, 2, -, 4\n$/,
  "07-checkpoint.ts": /started at step 0\n[\s\S]*starts at 837799, 524 steps\n$/,
  "08-precache.ts":
    /^(\d+) of \1 clients have [\d.]+ MB precached\nmean of image 0: -?0\.\d{3}\nbrightest of 10 images: 1\.\d{3}\n$/,
  "09-verified.ts": /^1000036000099 = 1000003 × 1000033\n[\s\S]*\n99999640000243 = 9999973 × 9999991\n$/,
  "10-submit.ts": /^from 0: the minimum is at 2\.000\nfrom 1: the minimum is at 2\.000\n$/,
  "11-stages.ts": /^spots: 3 2 4\n$/,
  "12-reduce.ts":
    /^mean spots: 2\.5\nspots: 0 │ 0\n(?:spots: [1-4] │█{6} 100\n){4}brightest: image 54, 3\.990\n$/,
  "13-program.ts": /^871 takes 178 steps\n6171 takes 261 steps\n$/,
  "14-n-body.ts":
    /^speed 1\.0: [^\n]* 0\.7\d at the start, 0\.7\d at the end\nspeed 0\.5: [^\n]*\nenergy conserved within 0\.1 %\n$/,
};

describe.each(["a server", "threads"])("with %s", (where) => {
  it.each(Object.entries(printed))("%s runs and prints what it says", async (name, expected) => {
    const example = join(root, "examples", name);
    const env =
      where === "threads" ? { ...process.env, MANYHANDS_PARALLEL: "thread:2" } : platform.environment;
    const { stdout } = await promisify(execFile)(process.execPath, [example], { env });
    expect(stdout).toMatch(expected);
  });
});

it("every numbered example is tried", async () => {
  const files = await readdir(join(root, "examples"));
  const numbered = files.filter((file) => /^\d\d-.*\.ts$/.test(file));
  expect(numbered.toSorted()).toEqual(Object.keys(printed));
});
