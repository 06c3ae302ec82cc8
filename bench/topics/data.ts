import type { Topic } from "../harness/topic.ts";

export const topic: Topic = {
  name: "data",
  summary:
    "1 GiB as 1,024 blobs and as one: MiB/s put, fetched and read by kernels; the same files from nginx to the same loop",
  services: ["nginx"],
  cases: [
    fetched("fetch 1,024 blobs of 1 MiB", ["--blobs", "1024"], ["--blobs", "128", "--mib", "128"]),
    fetched("fetch one blob of 1 GiB", ["--blobs", "1", "--at-once", "1"], ["--blobs", "1", "--mib", "128"]),
    {
      name: "put 1,024 blobs of 1 MiB, each on disk when acknowledged",
      unit: "MiB/s",
      better: "higher",
      args: ["--blobs", "1024"],
      quickArgs: ["--blobs", "128", "--mib", "128"],
      maxRounds: 3,
      goal: { ratio: 0.8, of: "nginx, each synced by the program" },
      manyhands: { name: "SDK", script: "data/put.ts" },
      peers: [
        {
          name: "nginx, each synced by the program",
          script: "data/put.ts",
          args: ["--to", "nginx", "--synced"],
          durable: true,
        },
        { name: "nginx, not synced", script: "data/put.ts", args: ["--to", "nginx"] },
        {
          name: "files written and synced by the program itself",
          script: "data/put.ts",
          args: ["--to", "disk"],
          durable: true,
        },
      ],
    },
    ...(["first", "again"] as const).map((pass) => ({
      name: `ctx.data of 1,024 blobs, ${pass === "first" ? "from the server" : "from the client's cache"}`,
      unit: "MiB/s",
      better: "higher" as const,
      args: ["--pass", pass],
      quickArgs: ["--blobs", "128", "--mib", "128"],
      maxRounds: 3,
      manyhands: { name: "headless client, 2 slots", script: "data/kernel.ts" },
      peers: [],
    })),
    {
      name: "one blob for four clients of one machine: times it was sent",
      unit: "times",
      better: "lower",
      limit: 1.05,
      maxRounds: 1,
      manyhands: { name: "one cache directory", script: "data/shared.ts" },
      peers: [],
    },
  ],
};

function fetched(name: string, args: string[], quickArgs: string[]): Topic["cases"][number] {
  return {
    name,
    unit: "MiB/s",
    better: "higher",
    goal: { ratio: 0.8, of: "nginx" },
    args,
    quickArgs,
    manyhands: { name: "Manyhands", script: "data/fetch.ts" },
    peers: [{ name: "nginx", script: "data/fetch.ts", args: ["--from", "nginx"] }],
  };
}
