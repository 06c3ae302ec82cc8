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
  ],
};
