import * as v from "valibot";
import { blobNameSchema, type BlobName } from "../data-reference.ts";
import type { TaskIndex } from "../ids.ts";
import { limits } from "../limits.ts";
import { messagePackBounds } from "./messagepack-walk.ts";
import { MessagePack } from "./messagepack.ts";
import { taskFailureSchema, type TaskFailure } from "./rest/failures.ts";
import { resultLineSchema, type ResultLine } from "./rest/results.ts";
import { packSchema, wholeNumbers } from "./pack-schema.ts";
import { PackWriter } from "./pack-writer.ts";

/** The outcome of one task, for a pack. */
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

/** A line of a result stream about the job, not about a task. */
export type JobLine = Exclude<ResultLine, { state: "done" | "failed" }>;

/** Results in completion order, as columns: a position in one is a position in all. */
export interface ResultPack {
  readonly state: "pack";
  readonly seqs: readonly number[];
  readonly indexes: readonly TaskIndex[];
  /** Sizes of outputs; 0 for a failure or an output in a blob. */
  readonly sizes: readonly number[];
  /** Encoded outputs one after another. */
  readonly bytes: Uint8Array;
  /** Positions of outputs that stand in blobs. */
  readonly large: ReadonlyMap<number, BlobName>;
  /** Positions of tasks that failed. */
  readonly failures: ReadonlyMap<number, TaskFailure>;
}

/** Most results in one pack; the server's pages stay below. */
const maxResults = 65_536;

/** Results on the wire, one MessagePack map. Values are the encoded outputs. */
const resultPackSchema = packSchema(
  {
    seqs: v.pipe(
      wholeNumbers(1, Number.MAX_SAFE_INTEGER),
      v.check(grows, "expected sequence numbers, each above the one before"),
    ),
    indexes: wholeNumbers(0, limits.maxTaskIndex),
  },
  {
    failure: v.optional(taskFailureSchema),
    /** The blob that holds the output; the task's value in the pack is empty then. */
    output: v.optional(blobNameSchema),
  },
  maxResults,
);
type ResultPackForm = v.InferOutput<typeof resultPackSchema>;
type ResultExtra = NonNullable<ResultPackForm["extras"]>[number];

/** The content of a frame of a result stream: results, or a line about the job as in the other forms. */
export const resultFrameSchema = v.union([resultPackSchema, resultLineSchema]);

/** Bytes of the length with which each frame of a stream of packs begins, highest byte first. */
export const frameHeadBytes = 4;
/** An empty frame has no meaning. The server sends one now and then so that no proxy takes the connection for dead. */
export const emptyFrame = new Uint8Array(frameHeadBytes);

const messagePack = new MessagePack(messagePackBounds.resultPack);

/** A frame of results. */
export function encodeResultPack(rows: readonly PackableResult[]): Uint8Array {
  const seqs: number[] = [];
  const indexes: TaskIndex[] = [];
  const outputs = new PackWriter<Omit<ResultExtra, "at">>(sizeOf(rows));
  for (const row of rows) {
    seqs.push(row.seq);
    indexes.push(row.index);
    if (row.state === "failed") outputs.addExtra({ failure: row.failure });
    else if (row.output instanceof Uint8Array) outputs.add(row.output);
    else outputs.addExtra({ output: row.output });
  }
  return frame(messagePack.encode({ seqs, indexes, ...outputs.pack }));
}

/** A frame with a line about the job. */
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
 * The content of a frame without its head. Outputs are views into `body`.
 * @throws Error when this version does not know the content
 */
export function readResultFrame(body: Uint8Array): ResultPack | JobLine {
  const decoded = messagePack.decode(body);
  if (typeof decoded !== "object" || decoded === null) throw new Error("a map is expected");
  if ("state" in decoded) return jobLineOf(decoded);
  const {
    seqs,
    indexes,
    sizes,
    bytes,
    extras = [],
  } = v.parse(resultPackSchema, decoded, { abortEarly: true });
  const large = new Map<number, BlobName>();
  const failures = new Map<number, TaskFailure>();
  for (const { at, failure, output } of extras) {
    if (sizes[at] !== 0 || (failure && output))
      throw new Error(`result ${seqs[at]} is expected to be one thing`);
    if (failure) failures.set(at, failure);
    if (output) large.set(at, output);
  }
  return { state: "pack", seqs, indexes, sizes, bytes, large, failures };
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
