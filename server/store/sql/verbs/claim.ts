import type { ClientId, JobId, TaskIndex } from "../../../../shared/ids.ts";
import type { ClaimedTask } from "../../store.ts";
import { checksum } from "../checksum.ts";
import type { JobClaims } from "../claims.ts";
import type { CachedJob } from "../job-cache.ts";
import type { Transaction } from "../transaction.ts";
import type { IndexSet } from "../index-set.ts";
import type { TaskRange } from "../task-packs.ts";
import { isActive } from "./ending.ts";
import type { Step } from "../database.ts";

/** Packs to walk before other work gets its turn: about 10 ms when all of their tasks have ended (1 µs each). */
const stride = 10_000;

/** Most packs of one query; a claim mostly needs one or a few. */
const maxRanges = 512;

/** Tasks that a stride has claimed. */
interface Found {
  /** Tasks that were read. */
  readonly tasks: ClaimedTask[];
  /** Indexes of all claimed tasks. */
  readonly indexes: TaskIndex[];
}

/**
 * Claims tasks within one stride of the walk. With `more` the walk is not at its end, so fewer tasks than `limit` do not mean
 * that there are no more: the caller calls again. When a read fails nothing is claimed.
 *
 * Inputs are views into their packs when most of a pack is claimed at once, otherwise copies (see ValuePack.values): a claimed
 * window holds at most four times the bytes of its tasks.
 */
export function* claimStride(
  transaction: Transaction,
  id: JobId,
  limit: number,
): Step<{ tasks: ClaimedTask[]; more: boolean }> {
  const job = yield* transaction.jobs.need(id);
  if (!isActive(job) || job.row.waitingFor.length > 0 || limit < 1) return { tasks: [], more: false };
  // Claims see tasks on disk alone.
  transaction.tasks.flush(job.number);
  const claims = yield* transaction.claims.open(job);
  const found: Found = { tasks: [], indexes: [] };
  const more = yield* allOrNone(claims, found, function* () {
    yield* takeEach(transaction, job, claims, () => claims.takeReturned(), limit, found);
    return found.tasks.length < limit && (yield* walk(transaction, job, claims, limit, found));
  });
  return { tasks: found.tasks, more };
}

/** Claims those of some tasks that are open and unclaimed. */
export function* claimAmong(
  transaction: Transaction,
  id: JobId,
  limit: number,
  among: readonly TaskIndex[],
): Step<ClaimedTask[]> {
  const job = yield* transaction.jobs.need(id);
  if (!isActive(job) || job.row.waitingFor.length > 0) return [];
  transaction.tasks.flush(job.number);
  const claims = yield* transaction.claims.open(job);
  const indexes = among.toSorted((a, b) => a - b).values();
  const found: Found = { tasks: [], indexes: [] };
  yield* allOrNone(claims, found, () =>
    takeEach(transaction, job, claims, () => indexes.next().value, limit, found),
  );
  return found.tasks;
}

/** Does work that claims tasks. When it fails the claims are given back, because the caller gets none of these tasks. */
function* allOrNone<T>(claims: JobClaims, { indexes }: Found, work: () => Step<T>): Step<T> {
  try {
    return yield* work();
  } catch (error) {
    for (const index of indexes) claims.giveBack(index);
    throw error;
  }
}

/** Claims the tasks that `next` names, in order of their indexes; mostly several of a pack follow each other. */
function* takeEach(
  transaction: Transaction,
  job: CachedJob,
  claims: JobClaims,
  next: () => TaskIndex | undefined,
  limit: number,
  found: Found,
): Step<void> {
  const ended = yield* transaction.ended.of(job);
  let range: TaskRange | undefined;
  let indexes: TaskIndex[] = [];
  while (found.tasks.length + indexes.length < limit) {
    const index = next();
    if (index === undefined) break;
    if (claims.has(index) || ended.has(index)) continue;
    claims.add(index);
    found.indexes.push(index);
    if (!range || index < range.first || index >= range.first + range.count) {
      if (range) yield* take(transaction, job, range, indexes, found.tasks);
      indexes = [];
      range = yield* transaction.tasks.rangeOf(job.number, index);
      if (!range) {
        claims.release(index);
        continue;
      }
    }
    indexes.push(index);
  }
  if (range) yield* take(transaction, job, range, indexes, found.tasks);
}

/** Walks on from the cursor. @returns whether there is more to walk */
function* walk(
  transaction: Transaction,
  job: CachedJob,
  claims: JobClaims,
  limit: number,
  found: Found,
): Step<boolean> {
  const ended = yield* transaction.ended.of(job);
  let asked = 1;
  for (let looked = 0; looked < stride; asked = Math.min(8 * asked, maxRanges)) {
    const ranges = yield* transaction.tasks.rangesFrom(job.number, claims.cursor, asked);
    for (const range of ranges) {
      const open = openIn(ended, claims, range, limit - found.tasks.length);
      for (const index of open) found.indexes.push(index);
      yield* take(transaction, job, range, open, found.tasks);
      if (found.tasks.length >= limit) return true;
    }
    if (ranges.length < asked) return false;
    looked += ranges.length;
  }
  return true;
}

/** Claims the open tasks of a pack from the cursor on, and moves the cursor after the pack. */
function openIn(ended: IndexSet, claims: JobClaims, { first, count }: TaskRange, limit: number): TaskIndex[] {
  const indexes: TaskIndex[] = [];
  const end = first + count;
  let index = ended.nextMissing(Math.max(first, claims.cursor), end);
  while (index < end && indexes.length < limit) {
    if (!claims.has(index)) {
      claims.add(index);
      indexes.push(index);
    }
    index = ended.nextMissing(index + 1, end);
  }
  // The cursor passes ended tasks as well, so that the walk does not return to the pack for them.
  claims.cursor = index;
  return indexes;
}

/** Reads claimed tasks of one pack. */
function* take(
  transaction: Transaction,
  job: CachedJob,
  range: TaskRange,
  indexes: readonly TaskIndex[],
  tasks: ClaimedTask[],
): Step<void> {
  if (indexes.length === 0) return;
  const pack = yield* transaction.tasks.read(job.number, range);
  if (typeof pack === "string") return takeDamaged(transaction, job, indexes, pack, tasks);
  const values = pack.values(indexes.map((index) => index - range.first));
  // A loop over positions allocates 180 bytes a task; `entries()` with another object in between 317.
  for (let at = 0; at < values.length; at++) {
    const index = indexes[at]!;
    const { payload: input, refs } = values[at]!;
    const { attempts, checkpoint, checkpointBy } = job.hasSideRows
      ? yield* sideRows(transaction, job, index)
      : noSideRows;
    tasks.push({ index, input, refs, attempts, checkpoint, checkpointBy });
  }
}

/**
 * Claims tasks whose inputs are damaged, so that the caller ends them. When even the indexes are damaged, the tasks are claimed and left: they
 * may be others.
 */
function takeDamaged(
  transaction: Transaction,
  job: CachedJob,
  indexes: readonly TaskIndex[],
  part: "values" | "head",
  tasks: ClaimedTask[],
): void {
  transaction.damaged({ what: "inputs", job: job.row.id, tasks: indexes });
  if (part === "values") for (const index of indexes) tasks.push(damagedTask(index));
}

/** A task whose input is damaged on disk. */
export function damagedTask(index: TaskIndex): ClaimedTask {
  return { index, input: noInput, refs: [], ...noSideRows, isDamaged: true };
}

const noInput = new Uint8Array();

type SideRows = Pick<ClaimedTask, "attempts" | "checkpoint" | "checkpointBy">;

const noSideRows: SideRows = { attempts: 0, checkpoint: undefined, checkpointBy: undefined };

interface SideColumns {
  readonly attempts: number | null;
  readonly state: Uint8Array | null;
  readonly client: ClientId | null;
  readonly cohort: string | null;
  readonly crc: number | null;
}

function* sideRows(transaction: Transaction, job: CachedJob, index: TaskIndex): Step<SideRows> {
  const side = yield* transaction.db.get<SideColumns>(
    `SELECT (SELECT attempts FROM attempts WHERE job = ?1 AND idx = ?2) AS attempts, state, client, cohort, crc
     FROM (SELECT 1) AS one LEFT JOIN checkpoints ON job = ?1 AND idx = ?2`,
    job.number,
    index,
  );
  const { attempts, state, client, cohort, crc } = side!;
  if (crc !== null && crc !== checksum([job.number, index, state])) {
    // The task is computed from its beginning.
    transaction.damaged({ what: "checkpoint", job: job.row.id, tasks: [index] });
    return { ...noSideRows, attempts: attempts ?? 0 };
  }
  const checkpointBy = client === null || cohort === null ? undefined : { client, cohort };
  return { attempts: attempts ?? 0, checkpoint: state ?? undefined, checkpointBy };
}
