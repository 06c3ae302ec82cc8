import { readdirSync } from "node:fs";
import { join } from "node:path";
import { installPackages } from "../../scripts/install-packages.js";
import type { CaseResult, RunResult } from "./case-result.ts";
import { keep, readKept, type KeptTopic } from "./kept-results.ts";
import { describeMachine, thisMachine } from "./machine.ts";
import { render } from "./render.ts";
import { jsonLines, table } from "./report.ts";
import { prepareTopic, runCase } from "./run-case.ts";
import { Services } from "./services/services.ts";
import type { Topic } from "./topic.ts";

/** Options of the command line. */
export interface BenchFlags {
  readonly json: boolean;
  readonly rounds?: number;
  readonly quick: boolean;
  readonly case: readonly string[];
  readonly peer?: readonly string[];
  readonly install: boolean;
  readonly plot: boolean;
  readonly render: boolean;
}

const folder = join(import.meta.dirname, "..", "topics");

/** Exit status of a program that was interrupted, as shells have it. */
const interrupted = 130;

/** Measures topics and prints the results. @returns the exit status: 1 when a run failed, 130 after an interruption */
export async function runTopics(names: readonly string[], flags: BenchFlags): Promise<number> {
  if (flags.render) {
    await render(readKept());
    return 0;
  }
  if (flags.plot && (flags.quick || flags.peer !== undefined))
    throw new Error(
      "--plot keeps results; it goes with neither --quick nor --peer, which give none worth keeping.",
    );
  const topics = await loadTopics(names);
  if (flags.install && !installPackages(join(import.meta.dirname, "..")))
    throw new Error("`npm ci` in bench/ failed; the peers can not be measured without.");
  const machine = thisMachine();
  if (!flags.json) console.log(`${describeMachine(machine)}\n`);
  const services = new Services();
  const interruption = onSignals();
  const rounds = flags.rounds ?? (flags.quick ? 1 : 5);
  const measured: KeptTopic[] = [];
  try {
    for (const topic of topics) {
      const results = await runTopic(topic, services, flags, rounds, interruption.signal);
      const { name, summary } = topic;
      if (results.length > 0) measured.push({ name, summary, machine, rounds, results });
      // Results of minutes are safe when a later topic fails.
      if (flags.plot) await render(keep(measured));
    }
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    return interrupted;
  } finally {
    await services.stop();
    interruption.ignore();
  }
  return measured.some(({ results }) => results.some(hasFailed)) ? 1 : 0;
}

async function runTopic(
  topic: Topic,
  services: Services,
  flags: BenchFlags,
  rounds: number,
  stop: AbortSignal,
): Promise<CaseResult[]> {
  const cases = topic.cases.filter(({ name }) => contains(flags.case, name));
  const env = cases.length > 0 ? await prepareTopic(topic, stop) : {};
  const results: CaseResult[] = [];
  for (const one of cases) {
    const result = await runCase(topic, one, services, {
      rounds,
      quick: flags.quick,
      wanted: (peer) => flags.peer === undefined || contains(flags.peer, peer),
      stop,
      env,
      progress: showProgress,
    });
    showProgress("");
    results.push(result);
    console.log(flags.json ? jsonLines(result).join("\n") : `${table(result)}\n`);
    for (const { name, failed } of runsOf(result))
      if (failed !== undefined) console.error(`${topic.name} · ${one.name} · ${name}: ${failed}`);
  }
  return results;
}

function runsOf({ manyhands, peers }: CaseResult): RunResult[] {
  return [manyhands, ...peers];
}

function hasFailed(result: CaseResult): boolean {
  return runsOf(result).some(({ failed }) => failed !== undefined);
}

async function loadTopics(names: readonly string[]): Promise<Topic[]> {
  const known = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -3));
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`There is no topic ${unknown.join(", ")}; there are: ${known.join(", ")}.`);
  const wanted = names.length > 0 ? names : known;
  return Promise.all(
    wanted.map(async (name) => ((await import(join(folder, `${name}.ts`))) as { topic: Topic }).topic),
  );
}

function contains(parts: readonly string[], text: string): boolean {
  return parts.length === 0 || parts.some((part) => text.includes(part));
}

/** Names the present run on a terminal. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1B[2K${line}`);
}

/** Aborts on Ctrl-C and the like. The present run then ends first, services last. */
function onSignals(): { signal: AbortSignal; ignore: () => void } {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const abort = (): void => controller.abort();
  for (const name of names) process.on(name, abort);
  return { signal: controller.signal, ignore: () => names.forEach((name) => process.off(name, abort)) };
}
