import type { Case, Run, Topic } from "../harness/topic.ts";

const run = (tasks: number, name: string, ...args: string[]): Run => ({
  name,
  script: "scale/manyhands.ts",
  args: ["--tasks", `${tasks}`, ...args],
});
const quickArgs = ["--tasks", "5000"];
const rate = { unit: "tasks/s", better: "higher", maxRounds: 3, quickArgs } satisfies Partial<Case>;
const small = run(1e4, "manyhands, 10⁴ tasks");

export const topic: Topic = {
  name: "scale",
  summary: "jobs of 10⁴, 10⁵ and 10⁶ no-op tasks of 100 bytes, results read as they come",
  cases: [
    {
      ...rate,
      name: "10⁵ tasks",
      goal: { ratio: 0.8 },
      manyhands: run(1e5, "manyhands"),
      peers: [small],
    },
    {
      ...rate,
      name: "10⁶ tasks",
      goal: { ratio: 0.8 },
      manyhands: run(1e6, "manyhands"),
      peers: [small],
    },
    {
      name: "server memory at 10⁶ tasks",
      unit: "MiB, peak",
      better: "lower",
      limit: 400,
      maxRounds: 3,
      quickArgs,
      manyhands: run(1e6, "manyhands", "--report", "memory"),
      peers: [],
    },
    {
      name: "restart with 10⁶ stored tasks",
      unit: "s until ready",
      better: "lower",
      limit: 2,
      maxRounds: 3,
      quickArgs,
      manyhands: {
        name: "manyhands",
        script: "scale/restart.ts",
        args: ["--tasks", "1000000"],
        note: "after kill -9, from the start of the process until it tells how the job stands",
      },
      peers: [],
    },
  ],
};
