import type { Case, Run, Topic } from "../harness/topic.ts";

/** Task length in ms, and the goal as a share of the ideal. */
const lengths = [
  { ms: 1, seconds: 4, goal: undefined },
  { ms: 10, seconds: 4, goal: 0.9 },
  { ms: 100, seconds: 4, goal: 0.97 },
  { ms: 1000, seconds: 8, goal: 0.99 },
];

const clients: readonly {
  name: string;
  args: readonly string[];
  services: Run["services"];
  plain: Run;
  speed: Run;
}[] = [
  {
    name: "node client",
    args: [],
    services: [],
    plain: {
      name: "two plain Node processes",
      script: "efficiency/plain-node.ts",
      note: "the same tasks shared out beforehand",
    },
    speed: { name: "plain Node script", script: "efficiency/speed-plain-node.ts" },
  },
  {
    name: "Chromium tab",
    args: ["--client", "chromium"],
    services: ["chromium"],
    plain: {
      name: "two workers of an empty page",
      script: "efficiency/plain-page.ts",
      services: ["chromium"],
      note: "the same tasks shared out beforehand",
    },
    speed: { name: "empty page", script: "efficiency/speed-plain-page.ts", services: ["chromium"] },
  },
];

export const topic: Topic = {
  name: "efficiency",
  summary:
    "real arithmetic on two slots: wall time against the same work without any platform, and the kernel's own speed",
  prepare: { name: "calibration", script: "efficiency/calibrate.ts" },
  cases: clients.flatMap(({ name, args, services, plain, speed }): Case[] => [
    ...lengths.map(({ ms, seconds, goal }): Case => ({
      name: `${name}, ${ms} ms`,
      unit: "% of ideal",
      better: "higher",
      ...(goal !== undefined && { goal: { ratio: goal } }),
      args: ["--ms", `${ms}`, "--seconds", `${seconds}`],
      quickArgs: ["--seconds", "1"],
      manyhands: { name: "manyhands", script: "efficiency/manyhands.ts", args, services },
      peers: [plain],
    })),
    {
      name: `${name}, the kernel's own speed`,
      unit: "million steps/s",
      better: "higher",
      goal: { ratio: 0.98 },
      args: ["--ms", "200"],
      quickArgs: ["--ms", "50"],
      manyhands: { name: "manyhands", script: "efficiency/speed-manyhands.ts", args, services },
      peers: [speed],
    },
  ]),
};
