import type { TaskIndex } from "../../shared/ids.ts";
import type { OutputCode } from "./population.ts";

/** A vote for an output of a task. */
export interface Vote {
  readonly voter: Voter;
  readonly output: OutputCode;
}

/** An identity as a rule knows it. */
export interface Voter {
  /** Valid results in a row (BOINC), or passed spot checks (Sarmenta). */
  valid: number;
  found: boolean;
  /** Tasks that wait for a verdict and have a vote of the voter. */
  readonly open: Set<TaskIndex>;
}

/** A rule of another platform, reduced to the question whether the votes for a task decide it. */
export interface Rule {
  readonly name: string;
  /** Share of computations that are of tasks with a known answer. */
  readonly spotChecks: number;
  /** Votes to ask for before the first verdict, decided when the first vote is there. */
  votesFor(first: Vote, random: () => number): number;
  /** The accepted output; undefined when another vote is needed. */
  verdict(votes: readonly Vote[]): OutputCode | undefined;
}

/** Votes grouped by output, the largest group first. */
function groupsOf(votes: readonly Vote[]): [OutputCode, Vote[]][] {
  const groups = Map.groupBy(votes, ({ output }) => output);
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}

function agreeing(votes: readonly Vote[], count: number): OutputCode | undefined {
  const [first] = groupsOf(votes);
  return first && first[1].length >= count ? first[0] : undefined;
}

/** Every task is computed twice, and again until two agree. */
export const twoOfThree: Rule = {
  name: "2 of 3",
  spotChecks: 0,
  votesFor: () => 2,
  verdict: (votes) => agreeing(votes, 2),
};

const trustedAfter = 10;

/** Adaptive replication (BOINC): a host with 10 valid results in a row is checked with chance 1 / valid, others always. */
export const boinc: Rule = {
  name: "BOINC",
  spotChecks: 0,
  votesFor: ({ voter: { valid } }, random) => (valid < trustedAfter || random() < 1 / valid ? 2 : 1),
  verdict: (votes) => (votes.length === 1 ? votes[0]!.output : agreeing(votes, 2)),
};

/** The share of cheats that the credibility assumes, and the wrong results that it lets through. */
const assumedCheats = 0.2;
const credible = 1 - 1e-4;

/** Credibility-based voting with spot checks and banning (Sarmenta 2002). */
export const sarmenta: Rule = {
  name: "Sarmenta",
  spotChecks: 0.1,
  votesFor: () => 1,
  verdict(votes) {
    // Odds that all voters of a group are right, and all others wrong; 1 stands for everybody being wrong.
    const groups = [...Map.groupBy(votes, ({ output }) => output)].map(([output, members]) => ({
      output,
      odds: members.reduce((product, { voter }) => product * oddsOf(voter), 1),
    }));
    const sum = groups.reduce((total, { odds }) => total + odds, 1);
    return groups.find(({ odds }) => odds / sum >= credible)?.output;
  },
};

/** Odds of a voter's result to be right. */
function oddsOf({ valid }: Voter): number {
  const wrong =
    valid === 0
      ? assumedCheats
      : Math.min(assumedCheats, assumedCheats / (Math.E * valid * (1 - assumedCheats)));
  return (1 - wrong) / wrong;
}
