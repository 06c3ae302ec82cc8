/**
 * A server, a node client and a tab compute jobs of all shapes for a while, and their memory is watched:
 * `npm run soak -- [--minutes 30] [--client node|tab|both]`. Ends with 1 when the memory of something grows.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { connectTo, startNodeClient, startServer, type Server } from "../runs/support/platform.ts";
import type { Child } from "../runs/support/children.ts";
import { memoryOfTree } from "./memory.ts";
import { Round, shapes } from "./shapes.ts";
import { openTab, type Tab } from "./tab.ts";
import { judge, trendOf } from "./trend.ts";

/** Memory at a time: MiB by the name of what is measured. */
interface Sample {
  readonly seconds: number;
  /** Between two rounds, when no task is there. */
  readonly atRest: boolean;
  readonly mib: Readonly<Record<string, number>>;
}

interface Flags {
  readonly minutes: number;
  readonly client: "node" | "tab" | "both";
  readonly every: number;
  readonly rest: number;
  readonly putMib: number;
  readonly bound: number;
  readonly shape: readonly string[];
  readonly out: string;
}

const mib = 1024 ** 2;
const slots = 2;
const onDisk = "IndexedDB";

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is no number above 0.`);
  return value;
}

async function soak(flags: Flags): Promise<void> {
  const server = await startServer({ flags: ["--auditors", "1"] });
  const node = flags.client === "tab" ? undefined : startNodeClient(server, nodeOptions);
  const tab = flags.client === "node" ? undefined : await openTab(server, slots);
  const samples: Sample[] = [];
  const start = performance.now();
  const end = start + flags.minutes * 60_000;
  const sample = async (atRest: boolean): Promise<void> => {
    const seconds = Math.round((performance.now() - start) / 1000);
    samples.push({ seconds, atRest, mib: await measure(server, node, tab) });
    showSample(samples);
  };
  const sampler = new AbortController();
  const sampling = (async () => {
    const every = { signal: sampler.signal };
    for (;;) {
      await sample(false);
      await sleep(flags.every * 1000, undefined, every);
    }
  })().catch((error: unknown) => {
    if (!sampler.signal.aborted) throw error;
  });
  let tasks = 0;
  let rounds = 0;
  const hands = await connectTo(server);
  const kinds = [...(node ? ["node" as const] : []), ...(tab ? ["browser" as const] : [])];
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      const counts = await Promise.all(kinds.map((kind) => runRound(new Round(hands, kind), flags)));
      tasks += counts.reduce((sum, count) => sum + count, 0);
      rounds++;
      await sleep(flags.rest * 1000);
      await sample(true);
    }
  };
  await Promise.race([work(), sampling]);
  sampler.abort();
  await sampling;
  hands.close();
  tab?.close();
  const grown = await report(samples, { ...flags, rounds, tasks });
  process.exit(grown ? 1 : 0);
}

/** The quota of the cache is small enough to be full in a few minutes. */
const nodeOptions = { flags: ["--slots", `${slots}`, "--cache-quota-gb", "0.25", "--nice", "0"] };

async function runRound(round: Round, { putMib, shape }: Flags): Promise<number> {
  const isWanted = (name: string): boolean => shape.length === 0 || shape.includes(name);
  for (const [name, run] of Object.entries(shapes)) if (isWanted(name)) await run(round, { putMib });
  if (isWanted("cancels")) await round.cancel();
  await round.end();
  return round.tasks;
}

async function measure(
  server: Server,
  node: Child | undefined,
  tab: Tab | undefined,
): Promise<Record<string, number>> {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const [main, ...auditors] = await memoryOfTree(server.pid);
  const measured: Record<string, number> = {
    server: main!.rss,
    auditor: sum(auditors.map(({ pss }) => pss)),
  };
  if (node) {
    const [client, ...sandboxes] = await memoryOfTree(node.pid);
    measured["node client"] = client!.rss;
    measured["its sandboxes"] = sum(sandboxes.map(({ pss }) => pss));
  }
  if (tab) {
    const processes = await memoryOfTree(tab.pid);
    const isRenderer = ({ command }: { command: string }): boolean => command.includes("--type=renderer");
    measured["tab's renderers"] = sum(processes.filter(isRenderer).map(({ pss }) => pss));
    measured["rest of browser"] = sum(processes.filter((one) => !isRenderer(one)).map(({ pss }) => pss));
    measured["tab's heap"] = (await tab.heapBytes()) / mib;
    measured[onDisk] = (await tab.storedBytes()) / mib;
  }
  return measured;
}

function showSample(samples: readonly Sample[]): void {
  const { seconds, atRest, mib } = samples.at(-1)!;
  const columns = Object.keys(mib);
  if (samples.length % 30 === 1)
    console.log(["    s  ", ...columns.map((name) => name.padStart(16))].join(""));
  const values = columns.map((name) => mib[name]!.toFixed(1).padStart(16));
  console.log([`${seconds}`.padStart(5), atRest ? " *" : "  ", ...values].join(""));
}

/** Prints how memory moved at rest in the second half, and keeps everything. @returns whether something grows */
async function report(
  samples: readonly Sample[],
  run: Flags & { readonly rounds: number; readonly tasks: number },
): Promise<boolean> {
  const rest = samples.filter(({ atRest }) => atRest);
  const half = rest.slice(Math.floor(rest.length / 2));
  const rows = Object.keys(samples[0]!.mib).map((name) => {
    const trend = trendOf(half.map(({ seconds, mib }) => [seconds / 60, mib[name]!]));
    return {
      name,
      atRestMib: half.reduce((sum, { mib }) => sum + mib[name]!, 0) / half.length,
      peakMib: Math.max(...samples.map(({ mib }) => mib[name]!)),
      mibPerMinute: trend.slope,
      error: trend.error,
      // The cache of blobs grows up to its quota.
      verdict: name === onDisk ? "on disk" : judge(trend, run.bound),
    };
  });
  console.log(`\n${run.rounds} rounds, ${run.tasks} tasks; at rest in the second half:\n`);
  console.log("                        MiB      peak   MiB/minute");
  for (const { name, atRestMib, peakMib, mibPerMinute, error, verdict } of rows)
    console.log(
      `${name.padEnd(18)}${atRestMib.toFixed(1).padStart(9)}${peakMib.toFixed(1).padStart(10)}` +
        `${mibPerMinute.toFixed(2).padStart(9)} ± ${(2 * error).toFixed(2).padEnd(7)} ${verdict}`,
    );
  await mkdir(dirname(run.out), { recursive: true });
  await writeFile(run.out, JSON.stringify({ ...run, trends: rows, samples }));
  console.log(`\nSamples and trends are in ${run.out}.`);
  return rows.some(({ verdict }) => verdict === "grows");
}

const names = Object.keys(shapes);
await new Command("npm run soak --")
  .description(
    "Watches the memory of a server, a node client and a tab that compute jobs of all shapes (Linux).",
  )
  .addOption(new Option("--minutes <n>", "how long").argParser(positive).default(30))
  .addOption(new Option("--client <kind>", "what computes").choices(["node", "tab", "both"]).default("both"))
  .addOption(new Option("--every <seconds>", "time between samples").argParser(positive).default(5))
  .addOption(new Option("--rest <seconds>", "pause after each round").argParser(positive).default(5))
  .addOption(new Option("--put-mib <n>", "size of the large ctx.put").argParser(positive).default(128))
  .addOption(
    new Option("--bound <n>", "MiB a minute above which memory grows").argParser(positive).default(1),
  )
  .addOption(
    new Option("--shape <names...>", "only these kinds of jobs").choices([...names, "cancels"]).default([]),
  )
  .option("--out <file>", "samples and trends as JSON", join("bench", "results", "soak.json"))
  .action(async (flags: Flags) => {
    await soak(flags);
  })
  .parseAsync();
