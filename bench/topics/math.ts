import type { Case, Topic } from "../harness/topic.ts";

const functions = [
  "sin",
  "cos",
  "tan",
  "exp",
  "log",
  "pow",
  "sqrt",
  "hypot",
  "atan",
  "atan2",
  "acos",
  "tanh",
];

const caseOf = (name: string): Case => ({
  name: `Math.${name}`,
  unit: "ns a call",
  better: "lower",
  args: ["--function", name],
  quickArgs: ["--calls", "2000000"],
  manyhands: { name: "portable", script: "math/calls.ts", args: ["--portable"] },
  peers: [{ name: "the engine's own", script: "math/calls.ts" }],
});

export const topic: Topic = {
  name: "math",
  summary:
    "functions of Math in a loop of a kernel: the portable ones, in WebAssembly, beside the engine's own",
  cases: functions.map(caseOf),
};
