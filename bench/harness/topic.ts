// Topics are data. The runner decides order and rounds, and starts services and runs.

/** A service that is started for a run, or a program of Debian's that must be installed. */
export type ServiceName =
  | "redis"
  | "postgres"
  | "nats"
  /** The program is only installed: a run starts nginx with the configuration that it measures. `NGINX` names the program. */
  | "nginx"
  | "dask"
  /** gcc and FFTW. */
  | "c"
  | "chromium";

/** A measured process, started anew in each round. */
export interface Run {
  readonly name: string;
  /** Below bench/runs: `.ts` for Node, `.py` for python3. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Services of this run alone, beside the topic's. */
  readonly services?: readonly ServiceName[];
  /** The peer keeps accepted work through a crash. */
  readonly durable?: boolean;
  /** Faster than users of the peer run it: shown beside the goals, and sets none. */
  readonly upperBound?: boolean;
  /** Configuration, for the tables. */
  readonly note?: string;
}

/** A goal for manyhands / peer: at least this ratio when higher is better, at most when lower is. */
export interface Goal {
  readonly ratio: number;
  /** A peer by name; `"durable"`: the best durable peer; absent: the best peer. Upper bounds count only by name. */
  readonly of?: string;
}

/** A comparison of one number. */
export interface Case {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly goal?: Goal | readonly Goal[];
  /** A bound on the value itself, for a case without a peer. */
  readonly limit?: number;
  readonly manyhands: Run;
  readonly peers: readonly Run[];
  /** Arguments of every run of the case. */
  readonly args?: readonly string[];
  /** Arguments with `--quick`. They come last, and so override the others. */
  readonly quickArgs?: readonly string[];
  /** The most rounds, for runs of minutes. */
  readonly maxRounds?: number;
  /** False for runs of minutes whose network is slower than any cold cache: no round is left uncounted. */
  readonly warmUp?: boolean;
}

export interface Topic {
  readonly name: string;
  readonly summary: string;
  readonly services?: readonly ServiceName[];
  /** A run before all others, whose value every run of the topic gets as `BENCH_PREPARED`. */
  readonly prepare?: Run;
  readonly cases: readonly Case[];
}
