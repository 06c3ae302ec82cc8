import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { failure, judge, summarise, type CaseResult, type RunResult } from "./case-result.ts";
import { measureOnce, type Measurement } from "./fresh-process.ts";
import { debianPython } from "./services/debian.ts";
import type { Services } from "./services/services.ts";
import type { Case, Run, Topic } from "./topic.ts";

interface CaseSettings {
  readonly rounds: number;
  readonly quick: boolean;
  /** Whether a peer takes part. */
  readonly wanted: (peer: string) => boolean;
  /** Aborted when the command is interrupted. */
  readonly stop: AbortSignal;
  /** Environment of every run. */
  readonly env: Readonly<Record<string, string>>;
  readonly progress: (line: string) => void;
}

const runsFolder = join(import.meta.dirname, "..", "runs");

/**
 * Measures the runs of a case, each in a fresh process. Each round has all runs, every other round backwards, so that other
 * load of the machine meets all alike. The first round is not counted: it fills the page cache and the compilers' caches.
 */
export async function runCase(
  topic: Topic,
  one: Case,
  services: Services,
  settings: CaseSettings,
): Promise<CaseResult> {
  const rounds = Math.min(settings.rounds, one.maxRounds ?? Infinity);
  const peers = one.peers.filter(({ name }) => settings.wanted(name));
  const runs = [one.manyhands, ...peers];
  const measured = new Map<Run, Measurement[]>(runs.map((run) => [run, []]));
  const failed = new Map<Run, RunResult>();
  for (let round = settings.quick || one.warmUp === false ? 0 : -1; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      if (failed.has(run)) continue;
      settings.progress(`${topic.name} · ${one.name} · ${run.name} · ${roundName(round, rounds)}`);
      try {
        const measurement = await measureRun(topic, one, run, services, settings);
        if (round >= 0) measured.get(run)!.push(measurement);
      } catch (error) {
        settings.stop.throwIfAborted();
        failed.set(run, failure(run, error));
      }
    }
  }
  const result = (run: Run): RunResult => failed.get(run) ?? summarise(run, measured.get(run)!);
  const ours = result(one.manyhands);
  const theirs = peers.map(result);
  return {
    topic: topic.name,
    case: one.name,
    unit: one.unit,
    better: one.better,
    manyhands: ours,
    peers: theirs,
    goals: judge(one, ours, theirs),
  };
}

function roundName(round: number, rounds: number): string {
  return round < 0 ? "warm-up" : `round ${round + 1} of ${rounds}`;
}

/** Measures the preparation of a topic. @returns the environment that tells its value to the runs */
export async function prepareTopic({ prepare }: Topic, stop: AbortSignal): Promise<Record<string, string>> {
  if (!prepare) return {};
  const { value } = await measureOnce(process.execPath, [join(runsFolder, prepare.script)], {}, stop);
  return { BENCH_PREPARED: String(value) };
}

async function measureRun(
  topic: Topic,
  one: Case,
  run: Run,
  services: Services,
  settings: CaseSettings,
): Promise<Measurement> {
  const env = await services.provide([...(topic.services ?? []), ...(run.services ?? [])]);
  const args = [...(one.args ?? []), ...(run.args ?? []), ...(settings.quick ? (one.quickArgs ?? []) : [])];
  // Otherwise this run would wait for writes of the run before.
  execFileSync("sync");
  const program = run.script.endsWith(".py") ? debianPython : process.execPath;
  const command = [join(runsFolder, run.script), ...args];
  return measureOnce(program, command, { ...settings.env, ...env, ...run.env }, settings.stop);
}
