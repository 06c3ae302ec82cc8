import type { Case, Topic } from "../harness/topic.ts";

/** A case whose value is measured / ideal time of the link, unless the unit says otherwise. */
function row(name: string, limit: number, args: string[], rest: Partial<Case> = {}): Case {
  return {
    name,
    unit: "× ideal",
    better: "lower",
    limit,
    maxRounds: 1,
    warmUp: false,
    args,
    manyhands: { name: "node client", script: "miles/row.ts" },
    peers: [],
    ...rest,
  };
}

const busy = { unit: "% busy", better: "higher" } as const;
const seconds = { unit: "s" } as const;
const page = {
  unit: "s",
  maxRounds: 3,
  manyhands: { name: "Chromium", script: "miles/row.ts" },
  services: ["chromium"],
} as const;

export const topic: Topic = {
  name: "miles",
  summary:
    "clients and customers behind links: a 40 ms 50/10 Mbit/s, b 150 ms 20/5, c 300 ms 5/1 with 2 % loss, c0 without, d 80 ms with stalls of 10 s every 30 s and changes of address",
  cases: [
    row("300 inline inputs of 200 kB, 10 ms tasks, a", 1.2, ["--row", "inputs", "--link", "a"]),
    row("300 inline inputs of 200 kB, 10 ms tasks, b", 1.17, ["--row", "inputs", "--link", "b"]),
    row("25 inline inputs of 200 kB at 0.5 Mbit/s", 1.1, [
      "--row",
      "inputs",
      "--link",
      "slow",
      "--count",
      "25",
    ]),
    row("60 texts of 200 kB in and out, b", 0.5, ["--row", "texts", "--link", "b", "--count", "60"]),
    row("a customer's 60 texts of 200 kB in and out, b", 0.5, ["--row", "customer-texts", "--link", "b"]),
    row("a customer's 40 texts of 150 kB one by one, b", 1.5, [
      "--row",
      "customer-text-by-text",
      "--link",
      "b",
    ]),
    row("40 texts of 500 kB in and out, as blobs, b", 0.5, [
      "--row",
      "texts",
      "--link",
      "b",
      "--count",
      "40",
      "--bytes",
      "500000",
    ]),
    row("400 outputs of 270 kB, b", 1.1, ["--row", "outputs", "--link", "b"]),
    row("4 outputs of 8 MiB at 1 Mbit/s", 1.2, [
      "--row",
      "outputs",
      "--link",
      "c0",
      "--count",
      "4",
      "--bytes",
      "8388608",
    ]),
    row("a blob of 20 MiB, connection reset every 20 s, c0", 1.2, ["--row", "blob", "--link", "c0"]),
    row("put of 100 MiB, cut at 56 MiB, a: bytes sent / its size", 1.1, ["--row", "put", "--link", "a"], {
      unit: "× size",
    }),
    row(
      "60 results of 200 kB at 1 Mbit/s: bytes sent / their size",
      1.05,
      ["--row", "results", "--link", "c0"],
      {
        unit: "× size",
      },
    ),
    row("change of address, idle client, a", 5, ["--row", "moved", "--link", "a"], seconds),
    row("change of address, busy client, a: time lost", 5, ["--row", "moved-busy", "--link", "a"], seconds),
    row("change of address, customer, a", 5, ["--row", "customer-moved", "--link", "a"], seconds),
    row("stalls of 10 s every 30 s, 100 ms tasks, a", 90, ["--row", "stalls", "--link", "a"], busy),
    row("one silent volunteer, 3,000 tasks of 10 ms", 20, ["--row", "silent", "--link", "a"], seconds),
    row("60 inputs of 1 MiB, 1 s tasks, b", 90, ["--row", "data", "--link", "b"], busy),
    row("range reads of 64 KiB, 200 ms tasks, b", 85, ["--row", "ranges", "--link", "b"], busy),
    row("page to first kernel, b, cold", 1.2, ["--row", "page", "--link", "b"], page),
    row("page to first kernel, b, again", 0.6, ["--row", "page", "--link", "b", "--visit", "again"], page),
    row("2 tasks of 62 s a slot with 8 MiB in, c0", 1.05, ["--row", "long-inputs", "--link", "c0"]),
    row("2 tasks of 62 s a slot with 4 MiB out, c0", 1.05, ["--row", "long-outputs", "--link", "c0"]),
  ],
};
