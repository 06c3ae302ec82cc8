import type { Random } from "./random.ts";

/** What other systems make of a population: a share of cheats that lie at a rate, and tabs that deliver so many results each. */
export interface Population {
  readonly tasks: number;
  readonly cheats: number;
  readonly lieRate: number;
  /** Mean results of an identity before its session ends. */
  readonly resultsASession: number;
}

export interface PeerOutcome {
  readonly accepted: number;
  readonly wrong: number;
  /** Further computations for each accepted result. */
  readonly overhead: number;
}

interface Host {
  readonly isCheat: boolean;
  left: number;
  /** Results of the host that were found valid in a row. */
  valid: number;
}

/**
 * BOINC's adaptive replication: a host with 10 consecutive valid results computes alone with the chance 1 - 1/valid; otherwise two hosts have to
 * agree. Cheats lie in the same way, as those of one program do. https://github.com/BOINC/boinc/wiki/AdaptiveReplication
 */
export function runBoinc(population: Population, random: Random): PeerOutcome {
  return run(population, random, ({ valid }) => (valid >= 10 && !random.chance(1 / valid) ? 1 : 2));
}

/** Two agreeing results of at most three, whoever computes. */
export function runTwoOfThree(population: Population, random: Random): PeerOutcome {
  return run(population, random, () => 2);
}

/**
 * Sarmenta's credibility voting with a spot-check rate of 10 %: a result is accepted when the conditional probability that it is right
 * reaches 1 - 10^-6, for a host that passed k checks 1 - f/(k e) alone. Sarmenta, Sabotage-tolerance mechanisms for volunteer computing systems, 2002.
 */
export function runSarmenta(population: Population, random: Random): PeerOutcome {
  const suspected = 0.2;
  const credibility = (host: Host): number => 1 - suspected / (Math.max(1, spotChecks * host.valid) * Math.E);
  const outcome = run(population, random, (host) => {
    const wrong = 1 - credibility(host);
    return Math.max(1, Math.ceil(Math.log(1e-6) / Math.log(wrong)));
  });
  return { ...outcome, overhead: outcome.overhead + spotChecks };
}

const spotChecks = 0.1;
/** Hosts that compute at a time. */
const hostCount = 1000;

function run(
  { tasks, cheats, lieRate, resultsASession }: Population,
  random: Random,
  needed: (host: Host) => number,
): PeerOutcome {
  const fresh = (): Host => ({
    isCheat: random.chance(cheats),
    left: Math.max(1, random.exponential(resultsASession)),
    valid: 0,
  });
  const hosts = Array.from({ length: hostCount }, fresh);
  let [wrong, computed] = [0, 0];
  const compute = (): { host: Host; isWrong: boolean } => {
    const at = random.below(hostCount);
    const host = hosts[at]!;
    computed += 1;
    host.left -= 1;
    if (host.left <= 0) hosts[at] = fresh();
    return { host, isWrong: host.isCheat && random.chance(lieRate) };
  };
  for (let task = 0; task < tasks; task++) {
    const results = [compute()];
    const votes = needed(results[0]!.host);
    while (results.length < votes) results.push(compute());
    // A tie goes on; after seven results the majority is taken.
    while (!decided(results, votes) && results.length < 7) results.push(compute());
    const lies = results.filter(({ isWrong }) => isWrong).length;
    const isWrong = 2 * lies > results.length;
    if (isWrong) wrong += 1;
    if (results.length > 1)
      for (const result of results)
        result.host.valid = result.isWrong === isWrong ? result.host.valid + 1 : 0;
  }
  return { accepted: tasks, wrong, overhead: computed / tasks - 1 };
}

function decided(results: readonly { isWrong: boolean }[], votes: number): boolean {
  const lies = results.filter(({ isWrong }) => isWrong).length;
  return lies >= votes || results.length - lies >= votes;
}
