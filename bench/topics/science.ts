import type { Case, Run, Topic } from "../harness/topic.ts";

const c = { script: "science/align-c.ts", services: ["c"] } satisfies Partial<Run>;

const onClients = (
  kind: "node" | "chromium",
  name: string,
  work: Pick<Case, "name" | "quickArgs" | "goal"> & { args?: string[] },
): Case => {
  const run = {
    script: "science/manyhands-reconstruct.ts",
    ...(kind === "chromium" && { services: ["chromium"] as const }),
  };
  const args = ["--client", kind];
  return {
    ...work,
    name: `${work.name}, ${name}`,
    unit: "s",
    better: "lower",
    maxRounds: 3,
    manyhands: { ...run, name: "2 slots", args: [...args, "--slots", "2"], durable: true },
    peers: [
      ...(work.args ? [] : [{ ...run, name: "1 slot", args: [...args, "--slots", "1"], durable: true }]),
      {
        name: "one thread",
        script: "science/one-thread-reconstruct.ts",
        note: "the same kernels in the customer's thread, without server, client and sandbox",
      },
      {
        name: "two processes",
        script: "science/one-thread-reconstruct.ts",
        args: ["--processes", "2"],
        note: "the same with half of the particles each, at once: what two cores of this machine can do together",
      },
    ],
  };
};

/** 1.6 times as fast. */
const goal = { ratio: 0.625, of: "one thread" };
const sample = ["--particles", "4000", "--box", "96"];
const quickArgs = ["--particles", "60"];
const small = { name: "reconstruct", quickArgs };
const round = { goal, name: "reconstruct, 4,000 particles of 96²", args: sample, quickArgs };
const known = { goal, name: "reconstruct, known poses", args: ["--known", ...sample], quickArgs };

export const topic: Topic = {
  name: "science",
  summary:
    "the kernels of the cryo-EM programs: alignment beside C, and a round of reconstruction of 1,000 particles by stage",
  cases: [
    {
      name: "alignment kernel",
      unit: "ms a task",
      better: "lower",
      goal: { ratio: 1.6, of: "C, gcc -O3" },
      quickArgs: ["--tasks", "6"],
      manyhands: {
        name: "manyhands",
        script: "science/manyhands-align.ts",
        note: "the kernel as it travels, in WebAssembly with SIMD; 25 particles of 64² × 100 references × 29 shifts × 64 angles",
      },
      peers: [
        {
          ...c,
          name: "C, gcc -O3",
          note: "the same arithmetic with FFTW 3.3, one thread, its planning not counted; matches are compared",
        },
        { ...c, name: "C, gcc -O3 -march=native", args: ["--flags=-O3 -march=native"] },
      ],
    },
    onClients("node", "node client", small),
    onClients("chromium", "Chromium tab", small),
    onClients("node", "node client", round),
    onClients("chromium", "Chromium tab", round),
    onClients("node", "node client", known),
    onClients("chromium", "Chromium tab", known),
  ],
};
