import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linesFor } from "../../web-client/admin/result-lines.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { python, PythonProgram, whySkipped } from "../python/programs.ts";
import { run, temporaryDirectory } from "../support/processes.ts";

let platform: LivePlatform;
let lines: Map<string, string>;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
  const hands = await platform.connect();
  const kernel = (x: number): number => {
    if (x === 1) throw new Error("x is odd");
    return x * 10;
  };
  const job = hands.map(kernel, [0, 1, 2], { maxAttempts: 1 });
  await job.settled();
  lines = new Map(linesFor(platform.url, await job.id));
});
afterAll(() => platform.close());

/** Writes the lines of a language into a file, as a person would. */
async function fileOf(language: string, name: string): Promise<string> {
  const path = join(await temporaryDirectory(), name);
  await writeFile(path, lines.get(language)!);
  return path;
}

describe("[LINES-1] the lines on a job's page fetch outputs and failures", () => {
  it("in TypeScript", async () => {
    const program = run(["run", await fileOf("TypeScript", "results.ts")], {
      MANYHANDS_TOKEN: platform.server.token,
    });
    expect(await program.ended).toBe(0);
    expect(program.output()).toMatch(/^0 0$[^]*^2 20$/m);
    expect(program.output()).toMatch(/^1 .*x is odd/m);
  });

  it.skipIf(!python)(`in Python${whySkipped}`, async () => {
    const program = new PythonProgram([await fileOf("Python", "results.py")], platform.environment);
    const printed = await program.ends();
    expect(printed).toMatch(/^0 0$[^]*^2 20$/m);
    expect(printed).toMatch(/^1 .*x is odd/m);
  });

  it("in curl", async () => {
    const { stdout } = await promisify(execFile)("sh", ["-c", lines.get("curl")!], {
      env: platform.environment,
    });
    const results = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(results).toContainEqual(expect.objectContaining({ state: "done", index: 2, output: 20 }));
    expect(results).toContainEqual(expect.objectContaining({ state: "failed", index: 1 }));
  });
});
