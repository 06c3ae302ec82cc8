import type { Case, Topic } from "../harness/topic.ts";

/** Task length in ms, and the goal as a share of piscina's efficiency. */
const lengths = [
  { ms: 0, goal: undefined },
  { ms: 1, goal: undefined },
  { ms: 10, goal: 0.95 },
  { ms: 100, goal: 0.95 },
];

const starts = [
  { name: "start-up, from process start to first result", args: [] },
  { name: "start-up, from connect() to first result", args: ["--from", "connect"] },
];

export const topic: Topic = {
  name: "thread",
  summary:
    "thread:2 beside piscina with two threads, on tasks that keep a thread busy for a fixed time, and start-up",
  cases: [
    ...lengths.map(({ ms, goal }): Case => ({
      name: `tasks of ${ms} ms`,
      unit: ms === 0 ? "tasks/s" : "% of ideal",
      better: "higher",
      ...(goal !== undefined && { goal: { ratio: goal } }),
      args: ["--ms", `${ms}`],
      quickArgs: ["--seconds", "1"],
      manyhands: {
        name: "manyhands",
        script: "thread/tasks-manyhands.ts",
        note: "kernels in sandboxed processes",
      },
      peers: [{ name: "piscina", script: "thread/tasks-piscina.ts", note: "no sandbox, no retries" }],
    })),
    ...starts.map(({ name, args }): Case => ({
      name,
      unit: "ms",
      better: "lower",
      args,
      manyhands: { name: "manyhands", script: "thread/start-manyhands.ts" },
      peers: [{ name: "piscina", script: "thread/start-piscina.ts" }],
    })),
  ],
};
