import type { Case, Run, Topic } from "../harness/topic.ts";

const durablePeers: readonly Run[] = [
  {
    name: "graphile-worker",
    script: "dispatch/graphile-worker.ts",
    services: ["postgres"],
    durable: true,
    note: "0.17 on PostgreSQL (fsync on), localQueue 500, 100 jobs at once, completions batched; the worker is in the customer's process and outputs are handed over in memory",
  },
  {
    name: "graphile-worker, outputs in a table",
    script: "dispatch/graphile-worker.ts",
    args: ["--outputs", "table"],
    services: ["postgres"],
    durable: true,
    note: "the same with a worker process of its own that keeps outputs in a table, in batches, as Manyhands keeps them",
  },
  {
    name: "NATS JetStream",
    script: "dispatch/nats.ts",
    services: ["nats"],
    durable: true,
    note: "file storage (flushed every two minutes), work-queue streams for tasks and outputs, explicit acknowledgements, 1,000 in flight",
  },
];

const piscina: Run = {
  name: "piscina, 1 a worker",
  script: "dispatch/piscina.ts",
  note: "two threads of the customer's process, nothing kept",
};

const common = {
  unit: "tasks/s",
  better: "higher",
  quickArgs: ["--tasks", "2000", "--warm", "500"],
} satisfies Partial<Case>;

export const topic: Topic = {
  name: "dispatch",
  summary:
    "20,000 no-op tasks of 100-byte inputs and outputs, from the first submit to the last output in the customer",
  cases: [
    {
      ...common,
      name: "node client",
      goal: [
        { ratio: 2.5, of: "durable" },
        { ratio: 1.2, of: piscina.name },
      ],
      manyhands: {
        name: "manyhands",
        script: "dispatch/manyhands.ts",
        durable: true,
        note: "server on SQLite (synchronous=FULL), one node client of two slots, the SDK",
      },
      peers: [...durablePeers, piscina],
    },
  ],
};
