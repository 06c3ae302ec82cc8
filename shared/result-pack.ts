import * as v from "valibot";
import { BlobTable, blobTableSchema, checkBlobs, checkPlaced, placedSchema } from "./blob-table.ts";
import type { BlobName } from "./data-reference.ts";
import { taskIndexSchema, type TaskIndex } from "./ids.ts";
import { limits } from "./limits.ts";
import { MessagePack } from "./messagepack.ts";
import { resultLineSchema, taskFailureSchema, type ResultLine, type TaskFailure } from "./rest.ts";
import { isColumn, isValuePack } from "./value-pack.ts";
import { ValuePacker } from "./value-packer.ts";

/** How one task ended, as it goes into a pack. */
export type PackableResult =
  | {
      readonly state: "done";
      readonly seq: number;
      readonly index: TaskIndex;
      readonly output: Uint8Array | BlobName;
    }
  | {
      readonly state: "failed";
      readonly seq: number;
      readonly index: TaskIndex;
      readonly failure: TaskFailure;
    };

/** A line of a result stream that tells of the job, not of a task. */
export type JobLine = Exclude<ResultLine, { state: "done" | "failed" }>;

/** Results in completion order, as columns: a position in one is a position in all. */
export interface ResultPack {
  readonly state: "pack";
  readonly seqs: readonly number[];
  readonly indexes: readonly TaskIndex[];
  /** Sizes of outputs; 0 where there is none, or it stands in a blob. */
  readonly sizes: readonly number[];
  /** Encoded outputs one after another. */
  readonly bytes: Uint8Array;
  /** Positions of outputs that stand in blobs. */
  readonly large: ReadonlyMap<number, BlobName>;
  /** Positions of tasks that failed. */
  readonly failures: ReadonlyMap<number, TaskFailure>;
}

/** What stands on the wire, one MessagePack map; {@link readResultFrame} checks it by hand, this describes. */
const resultPackSchema = v.strictObject({
  seqs: v.array(v.number()),
  indexes: v.array(taskIndexSchema),
  sizes: v.array(v.number()),
  bytes: v.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes"),
  blobs: v.optional(blobTableSchema),
  /** Outputs that stand in blobs; their size is 0. */
  large: v.optional(v.array(placedSchema)),
  failures: v.optional(v.array(v.strictTuple([v.number(), taskFailureSchema]))),
});
type ResultPackForm = v.InferOutput<typeof resultPackSchema>;

/** What a frame of a result stream holds: results, or a line that tells of the job as in the other forms. */
export const resultFrameSchema = v.union([resultPackSchema, resultLineSchema]);

/** Each frame of a stream of packs begins with its length, in four bytes, highest first. */
export const frameHeadBytes = 4;
/** A frame that means nothing: sent now and then so that no proxy takes the connection for dead. */
export const emptyFrame = new Uint8Array(frameHeadBytes);
/** Results in one pack; what a server sends is bounded by its pages. */
const maxResults = 65_536;

const messagePack = new MessagePack({});

/** A frame of results. */
export function encodeResultPack(rows: readonly PackableResult[]): Uint8Array {
  const seqs: number[] = [];
  const indexes: TaskIndex[] = [];
  const outputs = new ValuePacker(sizeOf(rows));
  const table = new BlobTable();
  const large: number[][] = [];
  const failures: [number, TaskFailure][] = [];
  for (const row of rows) {
    const position = seqs.push(row.seq) - 1;
    indexes.push(row.index);
    if (row.state === "done" && row.output instanceof Uint8Array) {
      outputs.add(row.output);
      continue;
    }
    outputs.skip();
    if (row.state === "failed") failures.push([position, row.failure]);
    else large.push([position, table.placeOf(row.output as BlobName)]);
  }
  const form: ResultPackForm = {
    seqs,
    indexes,
    sizes: outputs.sizes,
    bytes: outputs.bytes,
    ...(large.length > 0 && { blobs: table.blobs, large }),
    ...(failures.length > 0 && { failures }),
  };
  return frame(messagePack.encode(form));
}

/** A frame that tells of the job. */
export function encodeJobLine(line: JobLine): Uint8Array {
  return frame(messagePack.encode(line));
}

function sizeOf(rows: readonly PackableResult[]): number {
  let sum = 0;
  for (const row of rows)
    if (row.state === "done" && row.output instanceof Uint8Array) sum += row.output.length;
  return sum;
}

function frame(body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(frameHeadBytes + body.length);
  new DataView(framed.buffer).setUint32(0, body.length);
  framed.set(body, frameHeadBytes);
  return framed;
}

/**
 * What a frame holds, without its head, checked in one pass. Outputs are views into `body`.
 * @throws Error when it is nothing that this version knows
 */
export function readResultFrame(body: Uint8Array): ResultPack | JobLine {
  const decoded = messagePack.decode(body) as Partial<Record<keyof ResultPackForm, unknown>> | null;
  if (typeof decoded !== "object" || decoded === null) throw new Error("a map is expected");
  if ("state" in decoded) return jobLineOf(decoded);
  const { seqs, indexes, sizes, bytes } = decoded;
  const count = Array.isArray(seqs) ? seqs.length : 0;
  if (count > maxResults || !isColumn(seqs, count, 1, Number.MAX_SAFE_INTEGER) || !grows(seqs))
    throw new Error(`at most ${maxResults} sequence numbers are expected, each above the one before`);
  if (!isColumn(indexes, count, 0, limits.maxTaskIndex)) throw new Error(`${count} indexes are expected`);
  if (!isSizedColumn(sizes, bytes, count))
    throw new Error(`${count} sizes that sum up to the bytes are expected`);
  const failures = checkFailures(decoded.failures, count);
  const large = checkPlaced(decoded.large, count, checkBlobs(decoded.blobs), 1);
  for (const position of [...large.keys(), ...failures.keys()])
    if (sizes[position] !== 0 || (large.has(position) && failures.has(position)))
      throw new Error(`result ${seqs[position]} is expected to be one thing`);
  const first = new Map([...large].map(([position, blobs]) => [position, blobs[0]!]));
  return { state: "pack", seqs, indexes, sizes, bytes: bytes as Uint8Array, large: first, failures };
}

function jobLineOf(decoded: object): JobLine {
  const line = v.parse(resultLineSchema, decoded);
  if (line.state === "done" || line.state === "failed") throw new Error("results are expected in packs");
  return line;
}

function grows(seqs: readonly number[]): boolean {
  for (let i = 1; i < seqs.length; i++) if (seqs[i]! <= seqs[i - 1]!) return false;
  return true;
}

function isSizedColumn(sizes: unknown, bytes: unknown, count: number): sizes is number[] {
  return isValuePack(sizes, bytes, count, limits.inlineValueBytes);
}

const failureItem = v.strictTuple([v.number(), taskFailureSchema]);

function checkFailures(list: unknown, count: number): ReadonlyMap<number, TaskFailure> {
  if (list === undefined) return new Map();
  const failures = new Map(v.parse(v.array(failureItem), list, { abortEarly: true }));
  for (const position of failures.keys())
    if (!Number.isInteger(position) || position < 0 || position >= count)
      throw new Error(`positions are expected below ${count}`);
  return failures;
}
