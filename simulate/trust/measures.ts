/** Counts of one run, or of several together. */
export interface Counts {
  /** Accepted results of volunteers, and the wrong ones among them. */
  accepted: number;
  wrong: number;
  /** Wrong results that were accepted when the job had nothing left to hand out, and no window waits for evidence. */
  wrongAtEnd: number;
  /** Computations beside the one of each accepted result: audits, further votes, spot checks. */
  extra: number;
  /** Results of honest volunteers, and those of them that were withdrawn or outvoted. */
  honest: number;
  honestWithdrawn: number;
  /** Identities that were found out. */
  burnt: number;
  /** Runs in which strangers were stopped, because the kernel was held to be irreproducible. */
  stopped: number;
  runs: number;
  /** Accepted results that nobody could verify. */
  unverified: number;
  /** Times from delivery to acceptance of one result in {@link sampled}, and from the end of the window, in ms. */
  readonly delays: number[];
  readonly delaysAfterWindow: number[];
}

/** Accepted results for each one whose times are kept. */
export const sampled = 10;

export function newCounts(): Counts {
  return {
    accepted: 0,
    wrong: 0,
    wrongAtEnd: 0,
    extra: 0,
    honest: 0,
    honestWithdrawn: 0,
    burnt: 0,
    stopped: 0,
    runs: 1,
    unverified: 0,
    delays: [],
    delaysAfterWindow: [],
  };
}

/** Sums of the counts of several runs. */
export function together(all: readonly Counts[]): Counts {
  const sum = { ...newCounts(), runs: 0 };
  for (const { delays, delaysAfterWindow, ...counts } of all) {
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += counts[name];
    for (const delay of delays) sum.delays.push(delay);
    for (const delay of delaysAfterWindow) sum.delaysAfterWindow.push(delay);
  }
  return sum;
}

/** Measures of a scenario under one rule, as the tables show them. */
export interface Measures {
  readonly accepted: number;
  /** Share of wrong results among the accepted, and its upper bound with 95 % confidence. */
  readonly wrong: number;
  readonly wrongBelow: number;
  /** Share of wrong results that were accepted before the job's end. */
  readonly wrongBeforeEnd: number;
  /** Further computations for each accepted result. */
  readonly overhead: number;
  /** Share of honest volunteers' results that were withdrawn. */
  readonly honestWithdrawn: number;
  /** Seconds from delivery to acceptance. */
  readonly p50: number;
  readonly p95: number;
  /** Seconds from the end of the window to acceptance. */
  readonly p50AfterWindow: number;
  readonly p95AfterWindow: number;
  readonly burnt: number;
  /** Wrong accepted results for each identity that was found out. */
  readonly wrongPerBurnt: number;
  readonly unverified: number;
  /** Share of the runs in which strangers were stopped. */
  readonly stopped: number;
}

export function measure(counts: Counts): Measures {
  const { accepted, wrong, burnt } = counts;
  const [p50, p95] = secondsOf(counts.delays);
  const [p50AfterWindow, p95AfterWindow] = secondsOf(counts.delaysAfterWindow);
  return {
    accepted,
    wrong: wrong / accepted,
    // Upper end of a Poisson count: the rule of three, and about two standard deviations above more than none.
    wrongBelow: (wrong === 0 ? 3 : wrong + 1.65 * Math.sqrt(wrong) + 2) / accepted,
    wrongBeforeEnd: (wrong - counts.wrongAtEnd) / accepted,
    overhead: counts.extra / accepted,
    honestWithdrawn: counts.honest === 0 ? 0 : counts.honestWithdrawn / counts.honest,
    p50,
    p95,
    p50AfterWindow,
    p95AfterWindow,
    burnt,
    wrongPerBurnt: burnt === 0 ? NaN : wrong / burnt,
    unverified: counts.unverified / accepted,
    stopped: counts.stopped / counts.runs,
  };
}

function secondsOf(delaysMs: readonly number[]): [p50: number, p95: number] {
  const sorted = Float64Array.from(delaysMs).sort();
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? NaN) / 1000;
  return [at(0.5), at(0.95)];
}
