import type { BlobName } from "../../../../shared/data-reference.ts";
import type { TaskIndex } from "../../../../shared/ids.ts";
import { limits } from "../../../../shared/limits.ts";
import { GroupInput } from "../../../../shared/wire/group-input.ts";
import type { NewTask } from "../../store.ts";
import { examine, type Checksums } from "../checksum.ts";
import { withBlob } from "../columns.ts";
import type { Step } from "../database.ts";
import { forEachRun } from "../index-runs.ts";
import type { CachedJob } from "../job-cache.ts";
import { outcomeHead } from "../outcome-packs.ts";
import type { Transaction } from "../transaction.ts";
import { ValuePack, type PackColumns } from "../value-pack.ts";
import { blockAll } from "./dependents.ts";
import type { Fed } from "./fed-jobs.ts";
import { addTasks } from "./submit.ts";

/** Groups passed on in one transaction, and bytes of their inputs. */
const strideGroups = 256;
const strideBytes = 1024 * 1024;
/** Packs of one query. */
const pagePacks = 64;

/** Place of an output: its pack, and its position there. */
interface Place {
  readonly index: TaskIndex;
  readonly seq: number;
  readonly at: number;
}

interface PackRow {
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
  readonly isFailure: number;
}

interface Group {
  /** Index of the fed job's task. */
  readonly index: TaskIndex;
  readonly outputs: readonly Place[];
}

/** Says why no input can be made of some outputs. */
class Unfit extends Error {}

/**
 * Passes groups of neighbouring outputs on to a fed job, in the order of their indexes, each as one array ([FEED-6]). The tasks that the job has say
 * how far that went; `seq` is the sequence number up to which all outputs are passed on, so that reading need not begin before.
 * @returns undefined when no group is complete that was not passed on
 */
export function* groupStride(
  transaction: Transaction,
  source: CachedJob,
  job: CachedJob,
  seq: number,
): Step<Fed | undefined> {
  const size = job.row.outputsPerTask!;
  if (
    source.row.state !== "finished" &&
    !(yield* isComplete(transaction, source, job.nextIndex * size, size))
  )
    return undefined;
  const { groups, packs } = yield* nextGroups(transaction, source, job, seq);
  if (groups.length === 0) return undefined;
  try {
    const tasks = yield* inputsOf(transaction, source, groups);
    const count = yield* withinQuota(transaction, job, tasks);
    if (count === 0) return { job: undefined, left: "full" };
    yield* addTasks(transaction, job, tasks.slice(0, count));
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    yield* blockAll(transaction, job, error.message);
    return { job: job.row, left: "all" };
  }
  const passed = passedUpTo(packs, seq, job.nextIndex * size);
  if (passed > seq) transaction.db.write("UPDATE feeds SET seq = ? WHERE job = ?", passed, job.number);
  return { job: job.row, left: "more" };
}

function* isComplete(
  { ended }: Transaction,
  source: CachedJob,
  from: TaskIndex,
  size: number,
): Step<boolean> {
  return (yield* ended.of(source)).nextMissing(from, from + size) === from + size;
}

/** The next groups whose outputs are all there, and the packs that were read for them. */
function* nextGroups(
  { db }: Transaction,
  source: CachedJob,
  job: CachedJob,
  seq: number,
): Step<{ groups: Group[]; packs: PackRow[] }> {
  const size = job.row.outputsPerTask!;
  const packs: PackRow[] = [];
  const places: Place[] = [];
  for (let after = seq; ;) {
    const page = yield* packsAfter(db, source.number, after);
    for (const pack of page) notePlaces(pack, job.nextIndex * size, places);
    packs.push(...page);
    places.sort((a, b) => a.index - b.index);
    const isAll = page.length < pagePacks;
    const groups = groupsOf(places, job.nextIndex, size, isAll && source.row.state === "finished");
    if (groups.length > 0 || isAll) return { groups, packs };
    after = page.at(-1)!.seq;
  }
}

/** Packs after a sequence number, without their outputs. */
function packsAfter(db: Transaction["db"], source: number, seq: number): Step<PackRow[]> {
  return db.all<PackRow>(
    `SELECT seq, count, first, runs, CASE WHEN failure IS NULL THEN 0 ELSE 1 END AS isFailure FROM outcomePacks
     WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?`,
    source,
    seq,
    pagePacks,
  );
}

/** Adds the places of a pack's outputs from an index on. */
function notePlaces(
  { seq, count, first, runs, isFailure }: PackRow,
  least: TaskIndex,
  places: Place[],
): void {
  if (isFailure !== 0) return;
  let at = 0;
  forEachRun(first, count, runs, (from, length) => {
    for (let index = from; index < from + length; index++, at++)
      if (index >= least) places.push({ index, seq, at });
  });
}

/**
 * The groups, from task `next` on, of which every output is among the places, which are in the order of their indexes.
 * @param isAll - no more outputs will come: a group is complete with those that it has
 */
function groupsOf(places: readonly Place[], next: TaskIndex, size: number, isAll: boolean): Group[] {
  const groups: Group[] = [];
  for (let from = 0, expected = next; from < places.length && groups.length < strideGroups; expected++) {
    const index = Math.floor(places[from]!.index / size);
    let to = from;
    while (to < places.length && places[to]!.index < (index + 1) * size) to++;
    if (!isAll && (index !== expected || to - from < size)) break;
    groups.push({ index, outputs: places.slice(from, to) });
    expected = index;
    from = to;
  }
  return groups;
}

/** The tasks of the first groups, at least one. @throws Unfit when the very first cannot be made */
function* inputsOf(transaction: Transaction, source: CachedJob, groups: readonly Group[]): Step<NewTask[]> {
  const tasks: NewTask[] = [];
  const packs = new Map<number, ValuePack>();
  let bytes = 0;
  for (const { index, outputs } of groups) {
    if (bytes > strideBytes) break;
    const input = new GroupInput(outputs.length);
    let refs: readonly BlobName[] = [];
    for (const { seq, at } of outputs) {
      let pack = packs.get(seq);
      if (!pack) packs.set(seq, (pack = yield* packAt(transaction, source, seq)));
      const output = pack.value(at);
      input.add(output.payload);
      for (const ref of output.refs) refs = withBlob(refs, ref);
      if (!(output.payload instanceof Uint8Array)) refs = withBlob(refs, output.payload);
    }
    const why = whyUnfit(source, outputs, input.size, refs.length);
    // The groups before go first, so that the reason is the same in whatever strides they go.
    if (why !== undefined && tasks.length > 0) break;
    if (why !== undefined) throw new Unfit(why);
    bytes += input.size;
    tasks.push({ index, input: input.bytes(), refs });
  }
  return tasks;
}

function whyUnfit(
  { row: { id, name } }: CachedJob,
  outputs: readonly Place[],
  bytes: number,
  blobs: number,
): string | undefined {
  const group = `The outputs of tasks ${outputs[0]!.index} to ${outputs.at(-1)!.index} of job ${id} ("${name}")`;
  const fewer = "Expected fewer outputs in a task (outputsPerTask)";
  if (bytes > limits.groupBytes)
    return `${group} have ${bytes} bytes together; at most ${limits.groupBytes} are allowed in one input. ${fewer}, or smaller ones.`;
  if (blobs > limits.refsPerTask)
    return `${group} need ${blobs} blobs; at most ${limits.refsPerTask} are allowed in one input. ${fewer}.`;
  return undefined;
}

/** A pack of outputs. @throws Unfit when it is damaged */
function* packAt({ db, damaged }: Transaction, source: CachedJob, seq: number): Step<ValuePack> {
  const row = (yield* db.get<Omit<PackRow, "isFailure"> & OutputColumns & Checksums>(
    "SELECT seq, count, first, runs, sizes, side, outputs, crc, headCrc FROM outcomePacks WHERE job = ? AND seq = ?",
    source.number,
    seq,
  ))!;
  const { count, sizes, side, outputs } = row;
  if (examine(row, outcomeHead({ job: source.number, ...row }), [sizes, side, outputs]) === "sound")
    return new ValuePack(count, { sizes, side, bytes: outputs });
  damaged({ what: "outputs", job: source.row.id });
  throw new Unfit(
    `Stored outputs of job ${source.row.id} ("${source.row.name}") are damaged on the server's disk.`,
  );
}

type OutputColumns = Omit<PackColumns, "bytes"> & { readonly outputs: Uint8Array };

/** Number of the tasks that the customer's quota has room for. */
function* withinQuota({ usage }: Transaction, { row }: CachedJob, tasks: readonly NewTask[]): Step<number> {
  let { bytes, openTasks } = yield* usage.room(row.customer);
  const end = tasks.findIndex(({ input }) => {
    bytes -= (input as Uint8Array).length;
    openTasks -= 1;
    return openTasks < 0 || bytes < 0;
  });
  return end < 0 ? tasks.length : end;
}

/** The end of the first packs whose outputs all have indexes below `end`. */
function passedUpTo(packs: readonly PackRow[], from: number, end: TaskIndex): number {
  let passed = from;
  for (const { seq, count, first, runs } of packs) {
    let last = 0;
    forEachRun(first, count, runs, (start, length) => (last = Math.max(last, start + length)));
    if (last > end) break;
    passed = seq + count - 1;
  }
  return passed;
}
