import type { Topic } from "../harness/topic.ts";

export const topic: Topic = {
  name: "page",
  summary:
    "the volunteer page with a cold profile: bytes and ms until the first kernel is called; memory of the tab over 100,000 tasks",
  services: ["chromium"],
  cases: [
    ...(["localhost", "lab.test"] as const).map((host) => ({
      name: `bytes before the first task, ${host === "localhost" ? "brotli" : "gzip on plain HTTP"}`,
      unit: "bytes",
      better: "lower" as const,
      limit: 60_000,
      maxRounds: 1,
      args: ["--measure", "bytes", "--host", host],
      manyhands: { name: "Chromium", script: "page/open.ts" },
      peers: [],
    })),
    {
      name: "navigation to first kernel call",
      unit: "ms",
      better: "lower",
      limit: 700,
      manyhands: { name: "Chromium", script: "page/open.ts" },
      peers: [],
    },
    {
      name: "a frame of the admin page's task stream, 50,000 attempts",
      unit: "ms",
      better: "lower",
      limit: 16,
      maxRounds: 1,
      manyhands: { name: "Chromium", script: "page/stream.ts" },
      peers: [],
    },
    {
      name: "heap of the tab a task, over 100,000 tasks",
      unit: "bytes",
      better: "lower",
      limit: 10,
      maxRounds: 1,
      quickArgs: ["--tasks", "20000"],
      manyhands: { name: "Chromium", script: "page/memory.ts" },
      peers: [],
    },
  ],
};
