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

const folding = `
def f(x, ctx):
    if ctx.resume:
        return ["resumed", ctx.resume, ctx.index]
    ctx.progress(0.5)
    ctx.checkpoint(x)
    return ["began", x, ctx.index]

def g(a, b):
    return a + b
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
});

test("[REDUCE-2] [REDUCE-4] a function that is applied to several inputs goes on from the checkpoint of the last", async () => {
  const combine = { module: "model", function: "g", perTask: 2 };
  const program = {
    modules: { "model.py": folding },
    module: "model",
    function: "f",
    spread: false,
    combine,
  };
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "kernel.mjs"), (await PythonRuntime.make(program, true)).source);
  await writeFile(join(folder, "driver.mjs"), driver.replaceAll("kernel(7,", "kernel([7, 8],"));
  const { stdout } = await promisify(execFile)(process.execPath, ["driver.mjs"], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    lines: [],
    state: { at: 1, folded: ["began", 7, 0], state: 8 },
    first: ["began", 7, 0, "began", 8, 1],
    second: ["began", 7, 0, "resumed", 8, 1],
  });
});
