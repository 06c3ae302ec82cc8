import type { Case, Run, Topic } from "../harness/topic.ts";

const graphileWorker = {
  script: "dispatch/graphile-worker.ts",
  services: ["postgres"],
  durable: true,
} satisfies Partial<Run>;
const nats = { script: "dispatch/nats.ts", services: ["nats"], durable: true } satisfies Partial<Run>;
const natsByHand = { ...nats, upperBound: true } satisfies Partial<Run>;

const durable: readonly Run[] = [
  {
    ...graphileWorker,
    name: "graphile-worker",
    note: "0.17 on PostgreSQL (fsync on), localQueue 500, 100 jobs at once, completions batched; the worker is in the customer's process and nothing keeps the outputs",
  },
  {
    ...graphileWorker,
    name: "graphile-worker, outputs kept",
    args: ["--outputs", "table"],
    note: "the same with a worker process, and outputs in a table before their tasks count as done, in batches",
  },
  {
    ...nats,
    name: "NATS JetStream",
    args: ["--outputs", "message"],
    note: "2.9, file storage (flushed every two minutes), a work-queue stream with explicit acknowledgements, js.publish with 5,000 under way, a worker process, 5,000 in flight; outputs are plain messages, which nothing keeps",
  },
  {
    ...nats,
    name: "NATS JetStream, outputs kept",
    note: "the same with outputs in a second stream, by js.publish, before their tasks are acknowledged",
  },
  {
    ...natsByHand,
    name: "NATS JetStream, pipelined by hand",
    args: ["--outputs", "message", "--publish", "pipelined"],
    note: "as NATS JetStream, with a publisher of our own in place of js.publish, which takes all confirmations in one subscription: what the server can do, and nobody's way to use it",
  },
  {
    ...natsByHand,
    name: "NATS JetStream, pipelined by hand, outputs kept",
    args: ["--publish", "pipelined"],
    note: "the same with outputs in a second stream, by the same publisher",
  },
  {
    name: "pg-boss",
    script: "dispatch/pg-boss.ts",
    services: ["postgres"],
    durable: true,
    note: "10 on PostgreSQL (fsync on), fetch(100) in the customer's process; nothing keeps the outputs",
  },
];

const piscina: Run = {
  name: "piscina, 1 a worker",
  script: "dispatch/piscina.ts",
  note: "5, two threads of the customer's process",
};

const inMemory: readonly Run[] = [
  {
    name: "bee-queue",
    script: "dispatch/bee-queue.ts",
    services: ["redis"],
    note: "2 on Redis as it comes (snapshots), two worker processes of 100 jobs at once",
  },
  {
    name: "BullMQ",
    script: "dispatch/bullmq.ts",
    services: ["redis"],
    note: "6 on Redis as it comes (snapshots), a worker process of concurrency 100, jobs added in bulk",
  },
  piscina,
  {
    ...piscina,
    name: "piscina, 10 a worker",
    args: ["--concurrent", "10"],
    note: "the same with ten tasks at once a thread",
  },
  {
    name: "poolifier",
    script: "dispatch/poolifier.ts",
    note: "5, a fixed pool of two threads of the customer's process",
  },
  {
    name: "Dask distributed",
    script: "dispatch/dask-distributed.py",
    args: ["--tasks", "5000"],
    services: ["dask"],
    note: "Debian's, a scheduler process and a worker process of two threads; 5,000 tasks",
  },
  ...[1, 10, 100].map((batch) => ({
    name: `ws queue, ${batch} a message`,
    script: "dispatch/ws-queue.ts",
    args: ["--batch", `${batch}`],
    note: "customer, server and worker are processes; the server keeps tasks in a Map: the ceiling",
  })),
];

const common = {
  unit: "tasks/s",
  better: "higher",
  quickArgs: ["--tasks", "2000", "--warm", "500"],
} satisfies Partial<Case>;

/** Enough rounds for the JIT; a fresh process is the other extreme. */
const warmedUp = { args: ["--warmRounds", "10"] } satisfies Partial<Case>;

const node: Run = {
  name: "manyhands",
  script: "dispatch/manyhands.ts",
  durable: true,
  note: "server on SQLite (synchronous=FULL), a node client of two sandboxed slots, the SDK, a process each; inputs and outputs are kept",
};
const chromium: Run = {
  name: "manyhands",
  script: "dispatch/manyhands.ts",
  args: ["--client", "chromium"],
  services: ["chromium"],
  durable: true,
  note: "the same with the volunteer page in one Chromium tab, two slots; its results are not verified",
};
const audited: Run = {
  ...chromium,
  args: ["--client", "chromium", "--verify", "audit"],
  note: "as above, with the results audited by the server's auditor on the same two cores",
};
const pythonCustomer: Run = {
  name: "manyhands",
  script: "dispatch/manyhands-python.ts",
  durable: true,
  note: "as above, with a customer in Python 3 (python/manyhands.py) in place of the SDK",
};
const nodeGoals = [
  { ratio: 2.5, of: "durable" },
  { ratio: 1.2, of: piscina.name },
];
const tasksOnly = durable.filter(({ name }) => !name.includes("kept") && name !== "pg-boss");

export const topic: Topic = {
  name: "dispatch",
  summary:
    "20,000 no-op tasks of 100-byte inputs and outputs, from the first submit to the last output in the customer",
  cases: [
    { ...common, name: "node client", goal: nodeGoals, manyhands: node, peers: [...durable, ...inMemory] },
    {
      ...common,
      ...warmedUp,
      name: "steady state, node",
      goal: nodeGoals,
      manyhands: node,
      peers: [...durable.filter(({ name }) => name !== "pg-boss"), piscina],
    },
    {
      ...common,
      name: "Chromium tab",
      goal: { ratio: 1, of: "durable" },
      manyhands: chromium,
      peers: tasksOnly,
    },
    {
      ...common,
      ...warmedUp,
      name: "steady state, Chromium",
      goal: { ratio: 1, of: "durable" },
      manyhands: chromium,
      peers: tasksOnly,
    },
    {
      ...common,
      ...warmedUp,
      name: "audited, Chromium",
      goal: { ratio: 0.85, of: "manyhands, not verified" },
      manyhands: audited,
      peers: [{ ...chromium, name: "manyhands, not verified" }],
    },
    {
      ...common,
      name: "customer in Python",
      goal: { ratio: 0.67, of: "manyhands, the SDK" },
      manyhands: pythonCustomer,
      peers: [{ ...node, name: "manyhands, the SDK" }],
    },
  ],
};
