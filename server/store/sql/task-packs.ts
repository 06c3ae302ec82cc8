import type { BlobName } from "../../../shared/data-reference.ts";
import type { TaskIndex } from "../../../shared/ids.ts";
import type { Payload } from "../../../shared/wire/protocol.ts";
import { checksums, examine, type Checksums, type Finding } from "./checksum.ts";
import type { Database, Step } from "./database.ts";
import { PackBuilder, ValuePack, type PackColumns } from "./value-pack.ts";

/** A pack of consecutive tasks on disk, without its values. */
export interface TaskRange {
  /** The row's number. */
  readonly number: number;
  readonly first: TaskIndex;
  readonly count: number;
}

/** The values of a pack, or the damaged part. */
type ReadValues = ValuePack | Exclude<Finding, "sound">;

/** A pack in memory. */
interface ReadPack {
  readonly job: number;
  readonly range: TaskRange;
  readonly pack: ReadValues;
}

/** Tasks of one job that this transaction added and has not written yet. */
interface Tail {
  readonly first: TaskIndex;
  readonly pack: PackBuilder;
}

/**
 * Packs kept after reading, 256 KiB each: a caller that takes a pack in small pieces (claims of ten, returned tasks, repeats)
 * reads it once. A pack never changes.
 */
const maxKept = 8;

/** Most packs read at once, when those before had at most so many bytes. */
const maxAhead = 4;
const aheadBytes = 64 * 1024;

/**
 * The tasks of all jobs, in packs of consecutive tasks. All tasks that the verbs of one transaction add to a job become one
 * pack while they are consecutive and small, so that 500 customers' single tasks cost no more than one customer's 500.
 */
export class TaskPacks {
  readonly #db: Database;
  readonly #readsAhead: boolean;
  /** The tails by the job's number. */
  readonly #tails = new Map<number, Tail>();
  /** The most recently used pack is the last. */
  #kept: ReadPack[] = [];

  /** @param readsAhead - packs are read with their ranges, and some more, because a round trip costs more than their bytes */
  constructor(db: Database, readsAhead = false) {
    this.#db = db;
    this.#readsAhead = readsAhead;
  }

  /** Adds a new task, which is on disk with the commit. */
  add(job: number, index: TaskIndex, input: Payload, refs: readonly BlobName[]): void {
    let tail = this.#tails.get(job);
    if (!tail || index !== tail.first + tail.pack.count || tail.pack.isFullFor(input)) {
      if (tail) this.#write(job, tail);
      tail = { first: index, pack: new PackBuilder() };
      this.#tails.set(job, tail);
    }
    tail.pack.add(input, refs);
  }

  *has(job: number, index: TaskIndex): Step<boolean> {
    return this.#inTail(job, index) !== undefined || (yield* this.#find(job, index)) !== undefined;
  }

  /** The input of a task; undefined when there is no such task, `"damaged"` when its pack is damaged on disk. */
  *input(job: number, index: TaskIndex): Step<Payload | "damaged" | undefined> {
    const tail = this.#inTail(job, index);
    if (tail) return tail.pack.payload(index - tail.first);
    const range = yield* this.#find(job, index);
    if (!range) return undefined;
    const pack = yield* this.read(job, range);
    return typeof pack === "string" ? "damaged" : pack.value(index - range.first).payload;
  }

  /** The pack of a task, as on disk. */
  *rangeOf(job: number, index: TaskIndex): Step<TaskRange | undefined> {
    return yield* this.#find(job, index);
  }

  /** Packs on disk with tasks from `from` on, in order; their values are not read. */
  *rangesFrom(job: number, from: TaskIndex, limit: number): Step<TaskRange[]> {
    if (this.#readsAhead && limit === 1) return yield* this.#readAhead(job, from);
    const holder = this.#endsAt(job, from) ? undefined : yield* this.#find(job, from);
    if (holder && limit === 1) return [holder];
    const select =
      "SELECT number, first, count FROM taskPacks WHERE job = ? AND first >= ? ORDER BY first LIMIT";
    if (limit > 1) return yield* this.#db.all<TaskRange>(`${select} ?`, job, holder?.first ?? from, limit);
    // A single row costs 2.5 µs this way, 7 µs as a list, and is enough for a claim of a few tasks.
    const range = yield* this.#db.get<TaskRange>(`${select} 1`, job, from);
    return range ? [range] : [];
  }

  /** The first pack with tasks from `from` on. */
  *#readAhead(job: number, from: TaskIndex): Step<TaskRange[]> {
    const known = this.#kept.findLast(
      ({ job: of, range }) => of === job && from >= range.first && from < range.first + range.count,
    );
    if (known) return [known.range];
    const last = this.#kept.findLast((one) => one.job === job);
    const packs = yield* this.#db.all<TaskRange & PackColumns & Checksums>(
      `SELECT number, first, count, sizes, side, inputs AS bytes, crc, headCrc FROM taskPacks
       WHERE job = ? AND first + count > ? AND first >= coalesce((SELECT max(first) FROM taskPacks WHERE job = ? AND first <= ?), 0)
       ORDER BY first LIMIT ?`,
      job,
      from,
      job,
      from,
      last && typeof last.pack !== "string" && last.pack.bytes <= aheadBytes ? maxAhead : 1,
    );
    for (const { number, first, count, ...columns } of packs) {
      const range = { number, first, count };
      this.#keep({ job, range, pack: examined(job, range, columns) });
    }
    const [found] = packs;
    return found ? [{ number: found.number, first: found.first, count: found.count }] : [];
  }

  #keep(pack: ReadPack): void {
    if (this.#kept.length >= maxKept) this.#kept.shift();
    this.#kept.push(pack);
  }

  *read(job: number, range: TaskRange): Step<ReadValues> {
    const at = this.#kept.findIndex((kept) => kept.job === job && kept.range.first === range.first);
    if (at >= 0) {
      const [kept] = this.#kept.splice(at, 1);
      this.#kept.push(kept!);
      return kept!.pack;
    }
    const columns = (yield* this.#db.get<PackColumns & Checksums>(
      "SELECT sizes, side, inputs AS bytes, crc, headCrc FROM taskPacks WHERE number = ?",
      range.number,
    ))!;
    const pack = examined(job, range, columns);
    this.#keep({ job, range, pack });
    return pack;
  }

  /** Writes added tasks of all jobs, or of one, inside the transaction. */
  flush(only?: number): void {
    for (const [job, tail] of this.#tails)
      if (only === undefined || job === only) {
        this.#write(job, tail);
        this.#tails.delete(job);
      }
  }

  /** Drops added tasks after a rollback, and kept packs, which may contain them. */
  clear(): void {
    this.#tails.clear();
    this.#kept = [];
  }

  #inTail(job: number, index: TaskIndex): Tail | undefined {
    const tail = this.#tails.get(job);
    return tail && index >= tail.first && index < tail.first + tail.pack.count ? tail : undefined;
  }

  *#find(job: number, index: TaskIndex): Step<TaskRange | undefined> {
    const within = ({ first, count }: TaskRange) => index >= first && index < first + count;
    const kept = this.#kept.findLast((one) => one.job === job && within(one.range));
    if (kept) return kept.range;
    const range = yield* this.#db.get<TaskRange>(
      "SELECT number, first, count FROM taskPacks WHERE job = ? AND first <= ? ORDER BY first DESC LIMIT 1",
      job,
      index,
    );
    return range && within(range) ? range : undefined;
  }

  /** Whether a kept pack ends just before this index: then no pack begins earlier and contains the index. */
  #endsAt(job: number, index: TaskIndex): boolean {
    return this.#kept.some((kept) => kept.job === job && kept.range.first + kept.range.count === index);
  }

  #write(job: number, { first, pack }: Tail): void {
    const { sizes, side, bytes } = pack.build();
    const { crc, headCrc } = checksums(taskHead(job, { first, count: pack.count }), [sizes, side, bytes]);
    this.#db.write(
      "INSERT INTO taskPacks (job, first, count, sizes, side, inputs, crc, headCrc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      job,
      first,
      pack.count,
      sizes,
      side,
      bytes,
      crc,
      headCrc,
    );
  }
}

/** The columns of a pack that say which tasks it has, for its checksum. */
export function taskHead(job: number, { first, count }: Pick<TaskRange, "first" | "count">): number[] {
  return [job, first, count];
}

/** The values of a pack, or the part of it that is not as it was written. */
function examined(job: number, range: TaskRange, columns: PackColumns & Checksums): ReadValues {
  const { sizes, side, bytes } = columns;
  const found = examine(columns, taskHead(job, range), [sizes, side, bytes]);
  return found === "sound" ? new ValuePack(range.count, columns) : found;
}
