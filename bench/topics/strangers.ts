import type { Case, Run, Topic } from "../harness/topic.ts";

const alone: Run = { name: "alone", script: "strangers/honest.ts" };
const common = {
  unit: "tasks/s",
  better: "higher",
  goal: { ratio: 0.9, of: alone.name },
  peers: [alone],
  quickArgs: ["--tasks", "200", "--hoarders", "100"],
} satisfies Partial<Case>;

export const topic: Topic = {
  name: "strangers",
  summary:
    "one honest volunteer of four slots, whose tasks take 20 ms, beside 1,024 sockets of another address that ask for everything and deliver nothing",
  cases: [
    {
      ...common,
      name: "hoarders join while it computes",
      manyhands: {
        name: "beside hoarders",
        script: "strangers/honest.ts",
        args: ["--beside", "hoarders"],
        note: "each asks for 16,384 tasks; half of the job is measured",
      },
    },
    {
      ...common,
      name: "hoarders were there first",
      goal: [],
      manyhands: {
        name: "beside hoarders",
        script: "strangers/honest.ts",
        args: ["--beside", "hoarders", "--first"],
        note: "the whole job, with what the hoarders were given when nobody else was there",
      },
      peers: [{ ...alone, args: ["--first"] }],
    },
  ],
};
