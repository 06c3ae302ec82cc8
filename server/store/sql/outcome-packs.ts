import type { BlobName } from "../../../shared/data-reference.ts";
import type { TaskIndex } from "../../../shared/ids.ts";
import type { Payload } from "../../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../../shared/wire/rest/failures.ts";
import { checksums } from "./checksum.ts";
import type { Database } from "./database.ts";
import { encodeRuns } from "./index-runs.ts";
import { PackBuilder } from "./value-pack.ts";

/** Outputs of one job that this transaction recorded and has not written yet. */
interface Tail {
  /** The sequence number of the first output. */
  readonly seq: number;
  readonly indexes: TaskIndex[];
  readonly pack: PackBuilder;
}

/**
 * Records ends of tasks. Outputs go into packs of consecutive sequence numbers, across the verbs of a transaction. Each failure
 * gets a row of its own, because requeueing removes it.
 */
export class OutcomePacks {
  readonly #db: Database;
  /** The tails by the job's number. */
  readonly #tails = new Map<number, Tail>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds an output, which is on disk with the commit. */
  addDone(job: number, seq: number, index: TaskIndex, output: Payload, refs: readonly BlobName[]): void {
    let tail = this.#tails.get(job);
    if (!tail || seq !== tail.seq + tail.indexes.length || tail.pack.isFullFor(output)) {
      if (tail) this.#write(job, tail);
      tail = { seq, indexes: [], pack: new PackBuilder() };
      this.#tails.set(job, tail);
    }
    tail.indexes.push(index);
    tail.pack.add(output, refs);
  }

  /** @returns bytes of the stored failure */
  addFailed(job: number, seq: number, index: TaskIndex, failure: TaskFailure): number {
    const text = JSON.stringify(failure);
    const { crc, headCrc } = checksums(outcomeHead({ job, seq, count: 1, first: index, runs: null }), [text]);
    this.#db.write(
      "INSERT INTO outcomePacks (job, seq, count, first, failure, crc, headCrc) VALUES (?, ?, 1, ?, ?, ?, ?)",
      job,
      seq,
      index,
      text,
      crc,
      headCrc,
    );
    return Buffer.byteLength(text);
  }

  /** Writes recorded outputs of all jobs, or of one, inside the transaction. */
  flush(only?: number): void {
    for (const [job, tail] of this.#tails)
      if (only === undefined || job === only) {
        this.#write(job, tail);
        this.#tails.delete(job);
      }
  }

  /** Drops recorded outputs after a rollback. */
  clear(): void {
    this.#tails.clear();
  }

  #write(job: number, { seq, indexes, pack }: Tail): void {
    const { sizes, side, bytes } = pack.build();
    const head = { job, seq, count: indexes.length, first: indexes[0]!, runs: encodeRuns(indexes) };
    const { crc, headCrc } = checksums(outcomeHead(head), [sizes, side, bytes]);
    this.#db.write(
      `INSERT INTO outcomePacks (job, seq, count, first, runs, sizes, side, outputs, crc, headCrc)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      job,
      seq,
      head.count,
      head.first,
      head.runs,
      sizes,
      side,
      bytes,
      crc,
      headCrc,
    );
  }
}

interface OutcomeHead {
  readonly job: number;
  readonly seq: number;
  readonly count: number;
  readonly first: TaskIndex;
  readonly runs: Uint8Array | null;
}

/** The columns of a pack that say which outcomes it has, for its checksum. */
export function outcomeHead({ job, seq, count, first, runs }: OutcomeHead): (number | Uint8Array | null)[] {
  return [job, seq, count, first, runs];
}
