import { PlatformError } from "../../shared/errors.ts";

/** Options of a job-array script of clients. */
export interface SlurmOptions {
  /** Clients, one a node. */
  readonly nodes: number;
  /** Wall-clock limit in seconds. */
  readonly timeSeconds: number;
  /** Address of the server (then MANYHANDS_TOKEN is in the environment at submission), … */
  readonly server?: string;
  /** … or a rendezvous file on a file system that all nodes see. */
  readonly rendezvous?: string;
  readonly partition?: string;
  readonly account?: string;
  readonly qos?: string;
  readonly cpus?: number;
  /** Memory of a node as Slurm writes it: `16G`. */
  readonly memory?: string;
  readonly jobName: string;
  /** Directory on each node for cache and undelivered results. */
  readonly cacheDirectory?: string;
  /** Slurm sends SIGTERM this long before the limit; kernels that end by then are not lost. */
  readonly drainSeconds: number;
  /** Clients of a server that is gone give their node back after this long. */
  readonly serverGoneSeconds: number;
  /** Program and script that start `manyhands` on a node. */
  readonly command: readonly string[];
}

/** Clients hand back, deliver and end within this time after their kernels must stop. */
const marginSeconds = 15;

/**
 * A script for `sbatch`: a job array of clients, one a node. A client drains when Slurm sends SIGTERM, before the time limit or a
 * preemption, and may be requeued at any time: its leases then go to other clients.
 * @throws PlatformError BAD_OPTION
 */
export function slurmScript(options: SlurmOptions): string {
  const { timeSeconds, drainSeconds } = options;
  const signalSeconds = drainSeconds + marginSeconds;
  if ((options.server === undefined) === (options.rendezvous === undefined))
    throw new PlatformError("BAD_OPTION", "Expected exactly one of --server URL and --rendezvous FILE.");
  if (timeSeconds <= 2 * signalSeconds)
    throw new PlatformError(
      "BAD_OPTION",
      `--time of ${timeSeconds} s is too short for a drain of ${drainSeconds} s; expected more than ${2 * signalSeconds} s.`,
    );
  return [
    "#!/bin/bash",
    ...directives(options, signalSeconds),
    "",
    "# Clients for Manyhands. Submit it with sbatch, as often as you like; scancel ends it, nothing is lost.",
    "# Slurm sends SIGTERM before the time is over; by exec it reaches the client, which finishes tasks while it can and hands",
    "# back the rest.",
    "",
    ...(options.server === undefined
      ? []
      : [
          `: "\${MANYHANDS_TOKEN:?has to be set when this is submitted: manyhands token create --role client --name slurm}"`,
        ]),
    `cache=${options.cacheDirectory === undefined ? '"${SLURM_TMPDIR:-${TMPDIR:-/tmp}}/manyhands-$USER"' : quote(options.cacheDirectory)}`,
    'memory=${SLURM_MEM_PER_NODE:+--max-memory "${SLURM_MEM_PER_NODE}M"}',
    "",
    `exec ${[...options.command, "client"].map(quote).join(" ")} \\`,
    options.server === undefined
      ? `  --rendezvous ${quote(options.rendezvous ?? "")} --rendezvous-wait ${options.serverGoneSeconds} \\`
      : `  --server ${quote(options.server)} \\`,
    '  --slots "${SLURM_CPUS_ON_NODE:-1}" $memory --cache-dir "$cache" \\',
    `  --name "$(hostname -s) (slurm \${SLURM_ARRAY_JOB_ID:-?}_\${SLURM_ARRAY_TASK_ID:-?})" \\`,
    `  --drain-seconds ${drainSeconds} --exit-when-server-gone ${options.serverGoneSeconds}`,
    "",
  ].join("\n");
}

function directives(options: SlurmOptions, signalSeconds: number): string[] {
  const { partition, account, qos, cpus, memory } = options;
  const given: [string, string | number | undefined][] = [
    ["job-name", options.jobName],
    ["array", options.nodes === 1 ? "1" : `1-${options.nodes}`],
    ["nodes", 1],
    ["ntasks", 1],
    ["time", slurmTime(options.timeSeconds)],
    ["signal", `B:TERM@${signalSeconds}`],
    ["partition", partition],
    ["account", account],
    ["qos", qos],
    ["cpus-per-task", cpus],
    ["mem", memory],
    ["output", "manyhands-%A_%a.log"],
  ];
  return [
    ...given.flatMap(([name, value]) => (value === undefined ? [] : [`#SBATCH --${name}=${checked(value)}`])),
    // Without a number of cores the client gets the whole node.
    ...(cpus === undefined ? ["#SBATCH --exclusive"] : []),
    "#SBATCH --requeue",
    "#SBATCH --open-mode=append",
  ];
}

/** A directive is a line, and Slurm splits it at blanks. */
function checked(value: string | number): string {
  const text = String(value);
  if (/^[\w.,:@%/+-]+$/.test(text)) return text;
  throw new PlatformError("BAD_OPTION", `${JSON.stringify(text)} cannot stand in a Slurm directive.`);
}

/** Slurm's form of a time: `D-HH:MM:SS`. */
export function slurmTime(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const rest = seconds % 86_400;
  return `${days > 0 ? `${days}-` : ""}${two(rest / 3600)}:${two((rest / 60) % 60)}:${two(rest % 60)}`;
}

/** Reads a time as Slurm does: `M`, `M:S`, `H:M:S`, `D-H`, `D-H:M`, `D-H:M:S`. @returns seconds, or undefined */
export function parseSlurmTime(text: string): number | undefined {
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [days, first, second, third] = match
    .slice(1)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const a = first ?? 0;
  if (days !== undefined) return days * 86_400 + a * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return a * 3600 + (second ?? 0) * 60 + third;
  return a * 60 + (second ?? 0);
}

/** Quotes any text as one word for the shell. */
function quote(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
