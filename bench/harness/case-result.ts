import { median } from "./statistics.ts";
import type { Case, Goal, Run } from "./topic.ts";
import type { Measurement } from "./fresh-process.ts";

/** Medians of one run's rounds. */
export interface RunResult {
  readonly name: string;
  readonly durable: boolean;
  readonly upperBound?: boolean;
  readonly note?: string;
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
  /** Medians of the other numbers that the run measured. */
  readonly extras: Readonly<Record<string, number>>;
  /** Reason why the value is missing. */
  readonly failed?: string;
}

/** A goal beside the measured value. `ratio` is manyhands / peer. */
interface GoalResult {
  readonly text: string;
  readonly ratio: number;
  /** Absent for an upper bound, which is shown beside the goals and is none. */
  readonly met?: boolean;
}

export interface CaseResult {
  readonly topic: string;
  readonly case: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly manyhands: RunResult;
  readonly peers: readonly RunResult[];
  readonly goals: readonly GoalResult[];
}

export function summarise(run: Run, rounds: readonly Measurement[]): RunResult {
  const values = rounds.map(({ value }) => value);
  const names = Object.keys(rounds[0] ?? {}).filter(
    (name) => name !== "value" && typeof rounds[0]![name] === "number",
  );
  return {
    ...naming(run),
    value: median(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
    extras: Object.fromEntries(
      names.map((name) => [name, median(rounds.map((round) => Number(round[name])))]),
    ),
  };
}

export function failure(run: Run, error: unknown): RunResult {
  const failed = error instanceof Error ? error.message : String(error);
  return { ...naming(run), value: NaN, lowest: NaN, highest: NaN, extras: {}, failed };
}

function naming({
  name,
  durable = false,
  upperBound,
  note,
}: Run): Pick<RunResult, "name" | "durable" | "upperBound" | "note"> {
  return { name, durable, ...(upperBound && { upperBound }), ...(note !== undefined && { note }) };
}

/** Compares a case with its goals. A goal whose peer gave no number is left out. */
export function judge(one: Case, manyhands: RunResult, peers: readonly RunResult[]): GoalResult[] {
  if (manyhands.failed !== undefined) return [];
  const goals: readonly Goal[] = one.goal === undefined ? [] : [one.goal].flat();
  const results = goals.flatMap((goal) => {
    const peer = peerOf(goal, peers, one.better);
    return peer ? [judgeRatio(goal.ratio, manyhands.value / peer.value, one.better, peer.name)] : [];
  });
  const bound = goals.length > 0 ? best(peers.filter(isUpperBound), one.better) : undefined;
  if (bound) results.push({ text: `upper bound, ${bound.name}`, ratio: manyhands.value / bound.value });
  if (one.limit === undefined) return results;
  const sign = one.better === "higher" ? "≥" : "≤";
  const met = one.better === "higher" ? manyhands.value >= one.limit : manyhands.value <= one.limit;
  return [...results, { text: `${sign} ${one.limit} ${one.unit}`, ratio: manyhands.value / one.limit, met }];
}

function judgeRatio(goal: number, ratio: number, better: "higher" | "lower", peer: string): GoalResult {
  const higher = better === "higher";
  return {
    text: `${higher ? "≥" : "≤"} ${goal} × ${peer}`,
    ratio,
    met: higher ? ratio >= goal : ratio <= goal,
  };
}

function peerOf(
  { of }: Goal,
  peers: readonly RunResult[],
  better: "higher" | "lower",
): RunResult | undefined {
  const those = peers.filter(
    (peer) =>
      peer.name === of || (!peer.upperBound && (of === undefined || (of === "durable" && peer.durable))),
  );
  return best(those, better);
}

function isUpperBound({ upperBound = false }: RunResult): boolean {
  return upperBound;
}

function best(peers: readonly RunResult[], better: "higher" | "lower"): RunResult | undefined {
  const measured = peers.filter(({ value }) => Number.isFinite(value));
  const sorted = measured.toSorted((a, b) => a.value - b.value);
  return better === "higher" ? sorted.at(-1) : sorted[0];
}
