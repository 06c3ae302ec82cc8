/** Time of one call of a function of `Math` in a loop of a kernel: the portable one, or the engine's own. */
import { parseArgs } from "node:util";
import { makePortable } from "../../../shared/client/sandbox/portable/make-portable.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    function: { type: "string", default: "sin" },
    portable: { type: "boolean", default: false },
    calls: { type: "string", default: "20000000" },
  },
});
const name = values.function;
const sum = loopOf(name);
const inputs = inputsOf(name);
// The clock is taken before it is removed.
const now = performance.now.bind(performance);
if (values.portable) makePortable();

const block = 1_000_000;
sum(inputs, block);
sum(inputs, block);
const started = now();
const calls = Number(values.calls);
let result = 0;
for (let done = 0; done < calls; done += block) result += sum(inputs, block);
const ns = ((now() - started) * 1e6) / calls;
report(ns, { finite: Number.isFinite(result) ? 1 : 0 });

/** A loop from text, as a kernel comes. */
function loopOf(name: string): (inputs: Float64Array, calls: number) => number {
  const call = ["atan2", "hypot", "pow"].includes(name)
    ? `Math.${name}(x, inputs[(i + 1) & 1023])`
    : `Math.${name}(x)`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is of this file
  return new Function(
    "inputs",
    "calls",
    `let sum = 0;
     for (let i = 0; i < calls; i++) { const x = inputs[i & 1023]; sum += ${call}; }
     return sum;`,
  ) as (inputs: Float64Array, calls: number) => number;
}

/** 1,024 inputs in the function's domain. */
function inputsOf(name: string): Float64Array {
  const [from, to] = name === "acos" || name === "asin" ? [-1, 1] : [0.01, 10];
  return Float64Array.from({ length: 1024 }, (_, i) => from + (to - from) * ((i * 0.6180339887498949) % 1));
}
