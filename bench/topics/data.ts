import type { Run, Topic } from "../harness/topic.ts";

export const topic: Topic = {
  name: "data",
  summary:
    "1 GiB as 1,024 blobs and as one: MiB/s put, fetched and read by kernels, outputs, ranges; the same bytes through nginx, files and plain loops",
  services: ["nginx"],
  cases: [
    fetched("fetch 1,024 blobs of 1 MiB", ["--blobs", "1024"], ["--blobs", "128", "--mib", "128"]),
    fetched("fetch one blob of 1 GiB", ["--blobs", "1", "--at-once", "1"], ["--blobs", "1", "--mib", "128"]),
    {
      name: "put 1,024 blobs of 1 MiB, each on disk when acknowledged",
      unit: "MiB/s",
      better: "higher",
      args: ["--blobs", "1024"],
      quickArgs: ["--blobs", "128", "--mib", "128"],
      maxRounds: 3,
      goal: { ratio: 0.9, of: "nginx, each synced by the program" },
      manyhands: { name: "SDK", script: "data/put.ts" },
      peers: [
        {
          name: "nginx, each synced by the program",
          script: "data/put.ts",
          args: ["--to", "nginx", "--synced"],
          durable: true,
        },
        { name: "nginx, not synced", script: "data/put.ts", args: ["--to", "nginx"] },
        {
          name: "files written and synced by the program itself",
          script: "data/put.ts",
          args: ["--to", "disk"],
          durable: true,
        },
      ],
    },
    ctxData("from the server", "first", 0.75, {
      name: "a loop that fetches, hashes and writes",
      script: "data/fetch.ts",
      args: ["--write"],
    }),
    ctxData("from the client's cache", "again", 0.6, {
      name: "a loop that reads the same files",
      script: "data/read.ts",
    }),
    ctxDataOfTab("from the server", "first", [
      { name: "a plain page that fetches and hashes", script: "data/page-loop.ts", args: ["--way", "fetch"] },
    ]),
    ctxDataOfTab("from the tab's cache", "again", [
      { name: "a plain page's IndexedDB", script: "data/page-loop.ts", args: ["--way", "idb"] },
      {
        name: "a plain page's private file system",
        script: "data/page-loop.ts",
        args: ["--way", "opfs"],
      },
    ]),
    {
      name: "64 outputs of 8 MiB, from kernels to the customer",
      unit: "MiB/s",
      better: "higher",
      quickArgs: ["--count", "16"],
      maxRounds: 3,
      goal: { ratio: 0.7 },
      manyhands: { name: "headless client, 2 slots", script: "data/outputs.ts" },
      peers: [
        {
          name: "PUT to and GET from nginx, each synced and hashed by the program",
          script: "data/outputs.ts",
          args: ["--by", "nginx"],
          durable: true,
        },
      ],
    },
    ...(["adjacent", "scattered"] as const).map((order) => ({
      name: `20 ${order} images of a stack a task: bytes sent for each that is asked for`,
      unit: "times",
      better: "lower" as const,
      limit: order === "adjacent" ? 1.1 : 1.3,
      args: ["--order", order],
      quickArgs: ["--mib", "256", "--tasks", "16"],
      maxRounds: 1,
      manyhands: { name: "headless client, 2 slots", script: "data/ranges.ts" },
      peers: [],
    })),
    {
      ...sent("one blob for four clients of one machine", []),
      limit: 1.05,
      manyhands: { name: "one cache directory", script: "data/shared.ts" },
    },
    {
      ...sent("one blob of 5 MiB for 20 tabs of a browser", [
        "--kind",
        "tabs",
        "--clients",
        "20",
        "--mib",
        "5",
      ]),
      limit: 1.05,
    },
    sent("one blob of 5 MiB for 5 browsers", ["--kind", "browsers", "--clients", "5", "--mib", "5"]),
    {
      name: "20 blobs of 5 MiB for a browser",
      unit: "MiB/s",
      better: "higher",
      args: ["--mib", "100", "--blobs", "20"],
      quickArgs: ["--mib", "20", "--blobs", "4"],
      maxRounds: 3,
      manyhands: kernelInTab("Chromium tab, from the server", "first"),
      peers: [
        {
          name: "a plain page, from another browser (WebRTC)",
          script: "data/browser-to-browser.ts",
          services: ["chromium"],
        },
      ],
    },
  ],
};

function sent(what: string, args: string[]): Topic["cases"][number] {
  return {
    name: `${what}: times it was sent`,
    unit: "times",
    better: "lower",
    args,
    maxRounds: 1,
    manyhands: { name: "Chromium", script: "data/shared.ts", services: ["chromium"] },
    peers: [],
  };
}

function fetched(name: string, args: string[], quickArgs: string[]): Topic["cases"][number] {
  return {
    name,
    unit: "MiB/s",
    better: "higher",
    goal: { ratio: 0.8, of: "nginx" },
    args,
    quickArgs,
    manyhands: { name: "Manyhands", script: "data/fetch.ts" },
    peers: [{ name: "nginx", script: "data/fetch.ts", args: ["--from", "nginx"] }],
  };
}

function ctxData(from: string, pass: "first" | "again", ratio: number, peer: Run): Topic["cases"][number] {
  return {
    name: `ctx.data of 1,024 blobs, ${from}`,
    unit: "MiB/s",
    better: "higher",
    goal: { ratio },
    quickArgs: ["--blobs", "128", "--mib", "128"],
    maxRounds: 3,
    manyhands: { name: "headless client, 2 slots", script: "data/kernel.ts", args: ["--pass", pass] },
    peers: [peer],
  };
}

function kernelInTab(name: string, pass: "first" | "again"): Run {
  return {
    name,
    script: "data/kernel.ts",
    args: ["--pass", pass, "--client", "chromium"],
    services: ["chromium"],
  };
}

/** A tab's cache keeps 512 MiB. */
function ctxDataOfTab(from: string, pass: "first" | "again", peers: Run[]): Topic["cases"][number] {
  return {
    name: `ctx.data of 256 blobs in a Chromium tab, ${from}`,
    unit: "MiB/s",
    better: "higher",
    goal: { ratio: 0.75, of: peers[0]!.name },
    args: ["--blobs", "256", "--mib", "256"],
    quickArgs: ["--blobs", "64", "--mib", "64"],
    maxRounds: 3,
    manyhands: kernelInTab("Chromium tab, 2 slots", pass),
    peers: peers.map((peer) => ({ ...peer, services: ["chromium"] })),
  };
}
