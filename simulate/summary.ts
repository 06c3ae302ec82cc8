import { runBoinc, runSarmenta, runTwoOfThree, type PeerOutcome, type Population } from "./peers.ts";
import type { Random } from "./random.ts";
import { meanSessionSeconds, type Outcome, type Scenario } from "./trust-world.ts";

/** The outcomes of one scenario with several seeds, beside those of other systems with the same population. */
export interface Summary {
  readonly scenario: string;
  /** Shares of the accepted results. */
  readonly wrong: number;
  readonly overhead: number;
  readonly accepted: number;
  /** Share of the results of honest machines. */
  readonly honestWithdrawn: number;
  readonly wrongForEachBan: number;
  readonly burnt: number;
  /** Seconds from delivery to acceptance: mean over seeds of the median and the 95th percentile. */
  readonly delays: readonly [number, number];
  readonly peers: Readonly<Record<"boinc" | "twoOfThree" | "sarmenta", PeerOutcome>>;
}

export function summarise(scenario: Scenario, outcomes: readonly Outcome[], random: Random): Summary {
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const accepted = sum((outcome) => outcome.accepted);
  const wrong = sum((outcome) => outcome.wrong);
  const burnt = sum((outcome) => outcome.burnt);
  const population: Population = {
    tasks: scenario.tasks,
    cheats: scenario.cheats,
    lieRate: scenario.lieRate,
    resultsASession: meanSessionSeconds / scenario.taskSeconds,
  };
  return {
    scenario: scenario.name,
    accepted,
    wrong: wrong / Math.max(1, accepted),
    overhead: sum(({ overhead, accepted: of }) => overhead * of) / Math.max(1, accepted),
    honestWithdrawn:
      sum((outcome) => outcome.honestWithdrawn) /
      Math.max(
        1,
        sum((outcome) => outcome.honestDelivered),
      ),
    wrongForEachBan: wrong / Math.max(1, burnt),
    burnt,
    delays: [
      sum(({ delays }) => delays[0]) / outcomes.length,
      sum(({ delays }) => delays[1]) / outcomes.length,
    ],
    peers: {
      boinc: runBoinc(population, random),
      twoOfThree: runTwoOfThree(population, random),
      sarmenta: runSarmenta(population, random),
    },
  };
}

const columns = [
  "scenario",
  "wrong",
  "overhead",
  "honest withdrawn",
  "bans",
  "wrong a ban",
  "delay s, p50 / p95",
  "BOINC: wrong / overhead",
  "2 of 3",
  "Sarmenta",
];

/** The summaries as a table of Markdown. */
export function tableOf(summaries: readonly Summary[]): string {
  const rows = summaries.map((summary) => {
    const { scenario, wrong, accepted, overhead, honestWithdrawn, burnt, wrongForEachBan, delays, peers } =
      summary;
    return [
      scenario,
      rate(wrong, accepted),
      percent(overhead),
      rate(honestWithdrawn, accepted),
      String(burnt),
      wrongForEachBan.toFixed(1),
      `${delays[0].toFixed(0)} / ${delays[1].toFixed(0)}`,
      peerText(peers.boinc),
      peerText(peers.twoOfThree),
      peerText(peers.sarmenta),
    ];
  });
  const widths = columns.map((_, at) => Math.max(...[columns, ...rows].map((cells) => cells[at]!.length)));
  const rule = widths.map((width) => "-".repeat(width));
  const lines = [columns, rule, ...rows].map(
    (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`,
  );
  return `${lines.join("\n")}\n`;
}

function peerText({ wrong, accepted, overhead }: PeerOutcome): string {
  return `${rate(wrong / accepted, accepted)} / ${percent(overhead)}`;
}

/** A share; of none among n it is known to be below 3/n, with 95 % confidence. */
function rate(share: number, of: number): string {
  return share === 0 ? `0 (< ${(3 / Math.max(3, of)).toExponential(0)})` : share.toExponential(1);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
