/**
 * `node align-c.ts [--tasks 40] [--flags "-O3"]`: milliseconds a task of align.c on the input of the kernel. The run fails when
 * align.c finds other matches than the kernel.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { shiftGrid } from "../../../science/kernels/math/rotational-search.ts";
import { median } from "../../harness/statistics.ts";
import { temporaryDirectory } from "../support/children.ts";
import { report } from "../support/report.ts";
import { alignByKernel } from "./manyhands-align.ts";
import { makeAlignTask, writeAlignTask } from "./align-task.ts";

const { values } = parseArgs({
  options: { tasks: { type: "string", default: "40" }, flags: { type: "string", default: "-O3" } },
});
const task = await makeAlignTask();
const directory = temporaryDirectory();
const [program, input, output] = ["align", "input", "output"].map((name) => join(directory, name)) as [
  string,
  string,
  string,
];
await writeAlignTask(task, input);
const source = join(import.meta.dirname, "align.c");
execFileSync("gcc", [...values.flags.split(" "), "-o", program, source, "-lfftw3f", "-lm"]);
const printed = execFileSync(program, [input, output, values.tasks], { encoding: "utf8" });
const ms = printed.trim().split("\n").map(Number);

const { matches } = await alignByKernel(task, 1);
const bytes = readFileSync(output);
const [scores, places] = [Float32Array, Int32Array].map(
  (array) => new array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
) as [Float32Array, Int32Array];
const shifts = shiftGrid(task.shiftRadius, task.shiftStep);
let [worst, same, at] = [0, 0, 0];
for (const list of matches)
  for (const { score, psi, originX, originY } of list) {
    worst = Math.max(worst, Math.abs(score - scores[at]!));
    const { x, y } = shifts[places[at + 2]!]!;
    // This band has 64 angles.
    if (psi === (places[at + 1]! * 360) / 64 && originX === x && originY === y) same++;
    at += 3;
  }
const samePercent = (300 * same) / at;
// Rounding in another order changes the last bits of 32-bit scores, and so the order of ties.
if (worst > 1e-5 || samePercent < 99)
  throw new Error(`other matches than the kernel's: scores to ${worst}, ${samePercent} % in the same place`);
report(median(ms.slice(ms.length / 2)), { firstMs: ms[0]!, worstScoreDifference: worst, samePercent });
