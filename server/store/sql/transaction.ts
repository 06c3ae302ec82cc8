import type { JobId } from "../../../shared/ids.ts";
import type { JobRow } from "../store.ts";
import type { Damage } from "./checksum.ts";
import type { Claims } from "./claims.ts";
import type { Database } from "./database.ts";
import type { EndedSets } from "./ended-sets.ts";
import type { JobCache } from "./job-cache.ts";
import type { OutcomePacks } from "./outcome-packs.ts";
import type { ProvisionalPacks } from "./provisional-packs.ts";
import type { TaskPacks } from "./task-packs.ts";
import type { UsageLedger } from "./usage-ledger.ts";

/**
 * The parts that a verb works with. The rules that let many verbs share one transaction:
 * - a verb refuses (throws a PlatformError) before its first write, never after;
 * - a verb changes memory only in `afterCommit`, except for the job cache, the packs, the ended sets and the usage. Those show a
 *   transaction's changes to its later verbs, write them before COMMIT, and drop them on a rollback.
 */
export interface Transaction {
  readonly db: Database;
  readonly jobs: JobCache;
  readonly tasks: TaskPacks;
  readonly outcomes: OutcomePacks;
  readonly provisional: ProvisionalPacks;
  readonly ended: EndedSets;
  readonly usage: UsageLedger;
  readonly claims: Claims;
  /** Jobs that got an open task below the cursor of their claims in this transaction: their mark must not move. */
  readonly reopened: Set<number>;
  /** Count and size of the recorded blobs, after the first query. */
  blobUsage: { count: number; bytes: number } | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Tells the operator of damaged data that a verb read. */
  readonly damaged: (found: Damage) => void;
  /** Tells listeners that the end of another job released or blocked a job. */
  dependents: (row: JobRow) => void;
  /** Passes outcomes of its source on to a job soon. To be called after the commit. */
  readonly feed: (job: JobId) => void;
  /** Runs `effect` when the transaction is on disk, before the verbs resolve; not at all after a rollback. */
  afterCommit(effect: () => void): void;
}
