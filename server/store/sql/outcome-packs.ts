import type { BlobName } from "../../../shared/data-reference.ts";
import type { TaskIndex } from "../../../shared/ids.ts";
import type { Payload } from "../../../shared/wire/protocol.ts";
import type { TaskFailure } from "../../../shared/wire/rest.ts";
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
    this.#db.write(
      "INSERT INTO outcomePacks (job, seq, count, first, failure) VALUES (?, ?, 1, ?, ?)",
      job,
      seq,
      index,
      text,
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
    this.#db.write(
      `INSERT INTO outcomePacks (job, seq, count, first, runs, sizes, side, outputs)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      job,
      seq,
      indexes.length,
      indexes[0]!,
      encodeRuns(indexes),
      sizes,
      side,
      bytes,
    );
  }
}
