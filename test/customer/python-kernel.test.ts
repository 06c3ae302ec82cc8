import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { PythonRuntime } from "../../customer/python-kernel/runtime.ts";
import { temporaryDirectory } from "../support/processes.ts";

const source = `
calls = 0

def f(x, ctx):
    global calls
    calls += 1
    if ctx.resume:
        return ["resumed", ctx.resume, calls]
    ctx.checkpoint({"at": x, "sum": [0.5, b"x"]})
    print("a line\\nand another", end="")
    return ["began", x, calls]
`;

/** Calls a kernel twice: the second call goes on from the checkpoint of the first. */
const driver = `
const { exit, stdout } = process;
delete globalThis.process;
const { default: kernel } = await import("./kernel.mjs");
const told = { lines: [] };
const ctx = {
  index: 0, attempt: 1, resume: undefined, random: () => 0.5, progress() {},
  log: (line) => told.lines.push(line), checkpoint: (state) => (told.state = state),
};
told.first = await kernel(7, ctx);
told.second = await kernel(7, { ...ctx, resume: told.state });
stdout.write(JSON.stringify(told), () => exit());
`;

test("[PYTHON-1] [PYTHON-4] [PYTHON-6] without eval a function checkpoints, prints, and goes on in a warm interpreter", async () => {
  const program = { modules: { "model.py": source }, module: "model", function: "f", spread: false };
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "kernel.mjs"), (await PythonRuntime.make(program, true)).source);
  await writeFile(join(folder, "driver.mjs"), driver);
  const flags = ["--disallow-code-generation-from-strings", "driver.mjs"];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: folder });
  const state = { at: 7, sum: [0.5, { "0": 120 }] };
  expect(JSON.parse(stdout)).toEqual({
    lines: ["a line", "and another"],
    state,
    first: ["began", 7, 1],
    second: ["resumed", state, 2],
  });
}, 60_000);
