/** What a topic is made of. Everything is data: the runner decides order, rounds and what is started. */

/** What a run may need: a service that is started for it, or a program of Debian's that must be installed. */
export type ServiceName =
  | "redis"
  | "postgres"
  | "nats"
  /** Installed only; a run starts its own with the configuration it measures. `NGINX` is the program. */
  | "nginx"
  | "dask"
  /** gcc and FFTW. */
  | "c"
  | "chromium";

/** One kind of measured process: each round starts it anew. */
export interface Run {
  readonly name: string;
  /** Below bench/runs; `.ts` is run by Node, `.py` by python3. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Services of this run alone, beside the topic's. */
  readonly services?: readonly ServiceName[];
  /** It keeps accepted work through a crash. */
  readonly durable?: boolean;
  /** Faster than its users run it: shown beside the goals as an upper bound, and sets none. */
  readonly upperBound?: boolean;
  /** How it is configured, for the tables. */
  readonly note?: string;
}

/** What is to be reached: manyhands / peer, at least when higher is better, at most when lower is. */
export interface Goal {
  readonly ratio: number;
  /**
   * A peer by name, `"durable"`: the best of those that keep work through a crash; absent: the best of all. Of upper bounds only
   * one that is named.
   */
  readonly of?: string;
}

/** One number that is compared. */
export interface Case {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly goal?: Goal | readonly Goal[];
  /** A bound on the value itself, where there is nothing to compare with. */
  readonly limit?: number;
  readonly manyhands: Run;
  readonly peers: readonly Run[];
  /** Arguments of every run of the case. */
  readonly args?: readonly string[];
  /** The same with `--quick`, after the others: the last one counts. */
  readonly quickArgs?: readonly string[];
  /** At most so many rounds, for what takes minutes. */
  readonly maxRounds?: number;
}

export interface Topic {
  readonly name: string;
  readonly summary: string;
  readonly services?: readonly ServiceName[];
  /** Measured once before the rest; its value is told to every run of the topic as `BENCH_PREPARED`. */
  readonly prepare?: Run;
  readonly cases: readonly Case[];
}
