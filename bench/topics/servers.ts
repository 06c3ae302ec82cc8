import type { Run, Topic } from "../harness/topic.ts";

const underWay = ["--under-way", "8"];

const graphileWorker = {
  script: "dispatch/graphile-worker.ts",
  args: ["--tasks", "20000"],
  durable: true,
} satisfies Partial<Run>;

export const topic: Topic = {
  name: "servers",
  summary:
    "the store on PostgreSQL beside SQLite, and beside graphile-worker on the same PostgreSQL; one server",
  services: ["postgres"],
  cases: [
    {
      name: "submit, claim and complete",
      unit: "tasks/s",
      better: "higher",
      goal: { ratio: 2.5, of: "graphile-worker, outputs kept" },
      manyhands: {
        name: "manyhands",
        script: "store/manyhands.ts",
        args: ["--database", "postgres", ...underWay],
        note: "100-byte tasks in batches of 500, 8 under way; PostgreSQL, fsync on",
      },
      peers: [
        {
          name: "manyhands on SQLite",
          script: "store/manyhands.ts",
          args: underWay,
          durable: true,
          note: "the same through SQLite, synchronous=FULL",
        },
        {
          ...graphileWorker,
          name: "graphile-worker",
          note: "localQueue 500, 100 jobs at once, completions batched; nothing keeps the outputs",
        },
        {
          ...graphileWorker,
          name: "graphile-worker, outputs kept",
          args: [...graphileWorker.args, "--outputs", "table"],
          note: "the same with outputs in a table before their tasks count as done",
        },
      ],
    },
  ],
};
