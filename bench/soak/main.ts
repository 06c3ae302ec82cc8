/**
 * A server, a node client and a tab compute jobs of all shapes for a while, and their memory is watched:
 * `npm run soak -- [--minutes 30] [--client node|tab|both]`. Ends with 1 when the memory of server, client or customer grows.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { connectTo, startNodeClient, startServer } from "../runs/support/platform.ts";
import { measure, type Watched } from "./measure.ts";
import { showSample, showTrends, trendsOf, type Sample } from "./report.ts";
import { Round, shapes } from "./shapes.ts";
import { openTab } from "./tab.ts";

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

const slots = 2;
/** The quota of the cache is small enough to be full in a few minutes. */
const nodeFlags = ["--slots", `${slots}`, "--cache-quota-gb", "0.25", "--nice", "0"];

async function soak(flags: Flags): Promise<void> {
  const server = await startServer();
  const node = flags.client === "tab" ? undefined : startNodeClient(server, { flags: nodeFlags });
  const tab = flags.client === "node" ? undefined : await openTab(server, slots);
  const samples: Sample[] = [];
  const sample = sampler({ server, node, tab }, samples);
  const over = new AbortController();
  const sampling = (async () => {
    for (; !over.signal.aborted; await sleep(flags.every * 1000)) await sample(false);
  })();
  const kinds = [...(node ? ["node" as const] : []), ...(tab ? ["browser" as const] : [])];
  const { tasks, rounds } = await Promise.race([
    work(await connectTo(server), kinds, flags, () => sample(true)),
    // Samples end before the work when one fails.
    sampling.then(() => Promise.reject(new Error("The samples ended."))),
  ]);
  over.abort();
  tab?.close();
  const trends = trendsOf(samples, flags.bound);
  console.log(`\n${rounds} rounds, ${tasks} tasks.`);
  showTrends(trends);
  await mkdir(dirname(flags.out), { recursive: true });
  await writeFile(flags.out, JSON.stringify({ ...flags, rounds, tasks, trends, samples }));
  console.log(`\nSamples and trends are in ${flags.out}.`);
  process.exit(trends.some(({ verdict }) => verdict === "grows") ? 1 : 0);
}

function sampler(watched: Watched, samples: Sample[]): (atRest: boolean) => Promise<void> {
  const start = performance.now();
  return async (atRest) => {
    const seconds = Math.round((performance.now() - start) / 1000);
    samples.push({ seconds, atRest, mib: await measure(watched) });
    showSample(samples);
  };
}

/** Does rounds until the time is over, and calls `atRest` after each. */
async function work(
  hands: Awaited<ReturnType<typeof connectTo>>,
  kinds: readonly ("node" | "browser")[],
  flags: Flags,
  atRest: () => Promise<void>,
): Promise<{ tasks: number; rounds: number }> {
  const end = performance.now() + flags.minutes * 60_000;
  let [tasks, rounds] = [0, 0];
  for (; performance.now() < end; rounds++) {
    const counts = await Promise.all(kinds.map((kind) => runRound(new Round(hands, kind), flags)));
    tasks += counts.reduce((sum, count) => sum + count, 0);
    await sleep(flags.rest * 1000);
    await atRest();
  }
  return { tasks, rounds };
}

async function runRound(round: Round, { putMib, shape }: Flags): Promise<number> {
  for (const [name, run] of Object.entries(shapes))
    if (shape.length === 0 || shape.includes(name)) await run(round, { putMib });
  await round.end();
  return round.tasks;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is no number above 0.`);
  return value;
}

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
    new Option("--shape <names...>", "only these kinds of jobs").choices(Object.keys(shapes)).default([]),
  )
  .option("--out <file>", "samples and trends as JSON", join("bench", "results", "soak.json"))
  .action((flags: Flags) => soak(flags))
  .parseAsync();
