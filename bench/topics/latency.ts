import type { Case, Run, Topic } from "../harness/topic.ts";

const peer: Run = {
  name: "ws + one commit",
  script: "latency/ws-commit.ts",
  durable: true,
  note: "customer, server and worker are processes; the server commits the input to SQLite (synchronous=FULL) and passes it on",
};
const common = {
  unit: "ms, p50",
  better: "lower",
  goal: { ratio: 5, of: peer.name },
  peers: [peer],
  quickArgs: ["--samples", "100", "--warm", "20"],
} satisfies Partial<Case>;
const manyhands = { name: "manyhands", script: "latency/manyhands.ts", durable: true } satisfies Partial<Run>;

export const topic: Topic = {
  name: "latency",
  summary: "one task at a time on an idle system, from the submit to the output in the customer",
  cases: [
    {
      ...common,
      name: "node client",
      manyhands: {
        ...manyhands,
        note: "an open job whose inputs come one by one, over the WebSocket of the job; input and output are kept",
      },
      peers: [
        peer,
        {
          ...manyhands,
          name: "manyhands, inputs posted",
          args: ["--posted"],
          note: "the same where no WebSocket of a job gets through: a POST for each input",
        },
      ],
    },
    {
      ...common,
      name: "Chromium tab",
      manyhands: { ...manyhands, args: ["--client", "chromium"], services: ["chromium"] },
    },
    {
      ...common,
      name: "a job of one task",
      goal: [],
      manyhands: {
        ...manyhands,
        args: ["--job", "each"],
        note: "a job is made, closed and read for each input",
      },
    },
  ],
};
