import type { TaskIndex } from "../../../shared/ids.ts";
import type { Step } from "./database.ts";
import type { CachedJob } from "./job-cache.ts";

/**
 * The claimed tasks of one job, and the progress of the walk over the others.
 *
 * Every task below `cursor` has an outcome, is claimed, or waits among those that were given back. A job of 10^6 tasks is therefore walked
 * once, never loaded whole, and costs memory for its claimed tasks only.
 */
export interface JobClaims {
  /** The first task that the walk has not reached. */
  cursor: TaskIndex;
  /** Whether any server has claimed the task. */
  has(index: TaskIndex): boolean;
  /** Claims a task for this server. */
  add(index: TaskIndex): void;
  /** Keeps a task claimed whatever becomes of this server, because of its provisional results. */
  keep(index: TaskIndex): void;
  /** Drops the claim of a task that has ended. */
  release(index: TaskIndex): void;
  /** Gives a claim back, so that the task can be claimed again. */
  giveBack(index: TaskIndex): void;
  /** Notes a possibly open task that the walk has passed. */
  lookAgain(index: TaskIndex): void;
  /** Moves the walk back to `index`. */
  rewind(index: TaskIndex): void;
  /** The lowest noted index. Its task may have ended meanwhile. */
  takeReturned(): TaskIndex | undefined;
  /** An index below which every task has an outcome. Linear in the noted tasks, so not for every verb. */
  lowWater(): TaskIndex;
}

/** The claims of all jobs. */
export interface Claims {
  /** The claims of a job, for claiming. */
  open(job: CachedJob): Step<JobClaims>;
  /** The claims of a job; undefined when nobody has walked over its tasks yet. */
  find(job: CachedJob): Step<JobClaims | undefined>;
  /** Changes claims of a job, if there are any, with the commit. */
  change(job: CachedJob, effect: (claims: JobClaims) => void): Step<void>;
  /** Drops the claims of a job that takes no more outcomes, with the commit. */
  drop(job: CachedJob): void;
}
