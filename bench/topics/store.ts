import type { Topic } from "../harness/topic.ts";

export const topic: Topic = {
  name: "store",
  summary:
    "100-byte tasks through the durable store alone, in batches of 500: what the server can not be faster than",
  cases: [
    {
      name: "submit, claim and complete",
      unit: "tasks/s",
      better: "higher",
      quickArgs: ["--tasks", "10000"],
      manyhands: {
        name: "manyhands",
        script: "store/manyhands.ts",
        args: [],
        note: "SQLite, WAL, synchronous=FULL",
      },
      peers: [],
    },
    {
      name: "longest turn of the event loop while 10⁶ tasks are deleted",
      unit: "ms",
      better: "lower",
      limit: 50,
      maxRounds: 3,
      quickArgs: ["--tasks", "200000"],
      manyhands: {
        name: "manyhands",
        script: "store/delete.ts",
        note: "with their results of 100 bytes, until the file has given its space back",
      },
      peers: [
        {
          name: "manyhands on PostgreSQL",
          script: "store/delete.ts",
          args: ["--database", "postgres"],
          services: ["postgres"],
        },
      ],
    },
  ],
};
