import { Option, type Command } from "commander";
import { jobListStates, jobSorts, type JobListState, type JobSort } from "../../shared/wire/rest/job-list.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { Hands } from "../hands.ts";
import { serverCommand, wholeNumber, withHands, type ServerFlags } from "./command.ts";
import { ago, rate, span, table, writeJson, writeLine } from "./output.ts";

const jobsListed = 200;

interface JobsFlags extends ServerFlags {
  readonly active?: boolean;
  readonly state?: JobListState;
  readonly search?: string;
  readonly sort?: JobSort;
  readonly group?: string;
  readonly limit: number;
}

/** `manyhands jobs`. */
export function jobsCommand(): Command {
  return serverCommand("jobs", "List your jobs, newest first; those that run are always among them")
    .option("--search <words>", "only those with each of these words in name, customer or group, or an id")
    .addOption(new Option("--state <state>", "only those in this state").choices([...jobListStates]))
    .addOption(new Option("--sort <order>", "the order of the list").choices([...jobSorts]))
    .option("--active", "only those that have not ended")
    .option("--group <name>", "only those of a group")
    .option("--limit <n>", "at most so many; 0: all", wholeNumber(0, 1_000_000), jobsListed)
    .action(async ({ limit, ...flags }: JobsFlags) => {
      const most = limit === 0 ? Infinity : limit;
      const { jobs, areMore } = await withHands(flags, (hands) => findJobs(hands, flags, most));
      await (flags.json ? writeJson(jobs) : writeLine(jobs.length > 0 ? jobTable(jobs) : "No jobs."));
      if (areMore)
        await writeLine(
          `These are ${jobs.length}; there are more: --limit 0 shows all, --search and --state others.`,
          process.stderr,
        );
    });
}

/** The newest jobs, and older jobs that still run. */
async function findJobs(
  hands: Hands,
  flags: Omit<JobsFlags, "limit">,
  most: number,
): Promise<{ jobs: JobInfo[]; areMore: boolean }> {
  const { search, group, sort, state = flags.active ? "active" : undefined } = flags;
  const found = await hands.jobs({ search, group, state, sort, limit: most + 1 });
  if (found.length <= most) return { jobs: found, areMore: false };
  const newest = found.slice(0, most);
  if ((state !== undefined && state !== "active") || sort) return { jobs: newest, areMore: true };
  const running = await hands.jobs({ search, group, state: "running" });
  const known = new Set(newest.map(({ id }) => id));
  return { jobs: [...newest, ...running.filter(({ id }) => !known.has(id))], areMore: true };
}

/** Jobs as a table. */
export function jobTable(jobs: readonly JobInfo[]): string {
  return table(jobs, [
    { head: "JOB", cell: (job) => job.id },
    { head: "NAME", cell: (job) => job.name },
    { head: "CUSTOMER", cell: (job) => job.customer },
    { head: "STATE", cell: stateOf },
    { head: "DONE", cell: (job) => `${job.counts.done}/${job.counts.total}`, right: true },
    { head: "FAILED", cell: (job) => job.counts.failed, right: true },
    { head: "RUNNING", cell: (job) => job.counts.running, right: true },
    { head: "PROVISIONAL", cell: (job) => job.counts.provisional, right: true },
    { head: "RATE", cell: (job) => rate(job.rate), right: true },
    { head: "LEFT", cell: (job) => (job.estimatedMs ? span(job.estimatedMs) : ""), right: true },
    { head: "MADE", cell: (job) => ago(job.createdAt) },
  ]);
}

function stateOf({ state, paused, waitingFor, quotaFull, missingData }: JobInfo): string {
  const waits = waitingFor.length > 0 ? `, waits for ${waitingFor.length}` : "";
  return `${state}${paused ? ", paused" : ""}${waits}${quotaFull ? ", quota full" : ""}${missingData.length > 0 ? ", blobs to be put again" : ""}`;
}
