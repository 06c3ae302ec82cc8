import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../support/processes.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
});
afterAll(() => platform.close());

/** Runs the lines for curl of a page of the documentation, as they stand there. @returns what they print */
async function recipe(page: string): Promise<string> {
  const text = await readFile(join(root, "docs", page), "utf8");
  const [, lines = ""] = /^\*\*With curl\*\*[^]*?```sh\n([^]*?)```/m.exec(text) ?? [];
  const env = { ...process.env, S: platform.url, H: `authorization: Bearer ${platform.server.token}` };
  return (await promisify(execFile)("sh", ["-c", lines], { cwd: root, env })).stdout;
}

it("[WASI-1] a program runs by the lines for curl", async () => {
  const printed = await recipe("programs.md");
  expect(printed).toMatch(/"index":0,"output":"871 takes 178 steps/);
  expect(printed).toMatch(/"done":2/);
});

it("[PYTHON-8] a function in Python runs by the lines for curl", async () => {
  const printed = await recipe("python.md");
  expect(printed).toMatch(/"index":2,"output":3}/);
  expect(printed).toMatch(/"done":3/);
});
