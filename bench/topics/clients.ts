import type { Topic } from "../harness/topic.ts";

export const topic: Topic = {
  name: "clients",
  summary:
    "1,000 and 10,000 clients with tasks of 10 s, 1 % of them leaving and joining every second; idle ones beside bare `ws` sockets",
  cases: [
    ...[1000, 10_000].map((clients) => ({
      name: `${clients} clients: p99 from asking for a task to its lease`,
      unit: "ms",
      better: "lower" as const,
      limit: 50,
      args: ["--clients", String(clients)],
      quickArgs: ["--task-ms", "3000", "--seconds", "5"],
      maxRounds: 3,
      manyhands: { name: "Manyhands", script: "clients/busy.ts" },
      peers: [],
    })),
    {
      name: "memory of the server a connection, 9,000 of them",
      unit: "KiB",
      better: "lower",
      goal: { ratio: 1.5, of: "bare ws" },
      args: ["--clients", "9000"],
      quickArgs: ["--clients", "3000"],
      maxRounds: 3,
      manyhands: { name: "Manyhands", script: "clients/idle.ts" },
      peers: [{ name: "bare ws", script: "clients/idle.ts", args: ["--of", "ws"] }],
    },
    {
      name: "1,000 idle clients",
      unit: "% of a core",
      better: "lower",
      limit: 2,
      args: ["--measure", "cpu"],
      quickArgs: ["--seconds", "15"],
      maxRounds: 3,
      manyhands: { name: "Manyhands", script: "clients/idle.ts" },
      peers: [{ name: "bare ws", script: "clients/idle.ts", args: ["--of", "ws"] }],
    },
  ],
};
