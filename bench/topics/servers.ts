import type { Case, Run, Topic } from "../harness/topic.ts";

const underWay = ["--under-way", "8"];

const graphileWorker = {
  script: "dispatch/graphile-worker.ts",
  args: ["--tasks", "20000"],
  durable: true,
} satisfies Partial<Run>;

/** Whole servers. */
const whole = (servers: number): Run => ({
  name: servers === 1 ? "one server" : `${servers} servers`,
  script: "servers/manyhands.ts",
  args: ["--servers", `${servers}`],
  durable: true,
});
const onSqlite: Run = {
  name: "one server on SQLite",
  script: "servers/manyhands.ts",
  args: ["--database", "sqlite"],
  durable: true,
  note: "the same on its data directory",
};
const processorTime = (jobs: number, name: string): Case => ({
  name: `processor time of the servers a task, ${name}`,
  unit: "µs",
  better: "lower",
  goal: { ratio: 1.5, of: onSqlite.name },
  args: ["--jobs", `${jobs}`],
  quickArgs: ["--tasks", "6000", "--warm", "6000"],
  manyhands: {
    ...whole(1),
    note: "100-byte tasks, PostgreSQL with fsync on, six bare clients that return their inputs; customers and clients spread over the servers",
  },
  peers: [whole(2), whole(3), onSqlite],
});

export const topic: Topic = {
  name: "servers",
  summary:
    "the store on PostgreSQL beside SQLite and beside graphile-worker on the same PostgreSQL; one, two and three whole servers on it",
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
    processorTime(1, "one job"),
    processorTime(6, "six jobs"),
  ],
};
