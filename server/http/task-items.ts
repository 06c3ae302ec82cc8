import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { checkValue, encodeWithReferences } from "../../shared/wire/codec.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { Sha256, TaskIndex } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { MessagePack } from "../../shared/wire/messagepack.ts";
import { messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import { taskItemSchema, taskLineSchema } from "../../shared/wire/rest/submission.ts";
import { valueFromJson } from "../../shared/wire/value-json.ts";
import type { NewTask } from "../store/store.ts";
import { check, parseJson } from "./body.ts";
import type { Blobs } from "./context.ts";

/** Stores a large input as a blob. */
export type PutInput = (bytes: Uint8Array) => Promise<BlobName>;

/** Stores the large inputs of a customer. */
export function inputWriter(blobs: Blobs, customer: string): PutInput {
  return async (bytes) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    await blobs.write(sha256, Readable.from([bytes]), { customer }, bytes.length);
    return { sha256, size: bytes.length };
  };
}

/** Reads a raw item of a stream of tasks; undefined for an item without a task (a blank line). */
export type TaskReader = (raw: Uint8Array) => Promise<NewTask> | NewTask | undefined;

/** Reads lines of JSON. A line without an index gets the index after the line before, at first `firstIndex`. */
export function lineReader(put: PutInput, firstIndex: number): TaskReader {
  const read = taskFromJson(put, firstIndex);
  return (raw) => (isBlank(raw) ? undefined : read(parseJson(raw, "line")));
}

/** Reads tasks from parsed JSON: `{index?, input, refs?}`. */
export function taskFromJson(
  put: PutInput,
  firstIndex: number,
): (json: unknown) => Promise<NewTask> | NewTask {
  let next = firstIndex;
  return (json) => {
    const line = check(taskLineSchema, json, "task");
    const index = line.index ?? next;
    next = index + 1;
    return taskOfJsonInput(put, index, line.input, line.refs);
  };
}

/**
 * A task from an input in JSON, which is encoded here, and stored as a blob when it is large.
 * @param further - blobs that the task needs beside those of its input
 * @throws PlatformError BAD_REQUEST, UNSERIALISABLE, TOO_LARGE
 */
export function taskOfJsonInput(
  put: PutInput,
  index: TaskIndex,
  json: unknown,
  further: readonly BlobName[] = [],
): Promise<NewTask> | NewTask {
  const { bytes, refs: named } = encodeWithReferences(valueFromJson(json));
  const others = further.filter(({ sha256 }) => !named.some((ref) => ref.sha256 === sha256));
  const refs = others.length === 0 ? named : [...named, ...others];
  if (bytes.length <= limits.inlineValueBytes) return { index, input: bytes, refs: bounded(refs) };
  return put(bytes).then((input) => blobTask(index, input, refs));
}

/** Reads the MessagePack items of customers' programs. The input's bytes stay as they are. */
export function readTaskItem(raw: Uint8Array): NewTask {
  const { index, input, refs = [] } = check(taskItemSchema, decodeItem(raw), "item");
  if (!(input instanceof Uint8Array)) return blobTask(index, input, refs);
  if (input.length > limits.inlineValueBytes)
    throw new PlatformError(
      "TOO_LARGE",
      `The input has ${input.length} bytes; over ${limits.inlineValueBytes} it has to be put as a blob and named.`,
    );
  checkValue(input);
  return { index, input, refs };
}

/** A task whose input is in a blob, which becomes one of the task's references. */
function blobTask(index: TaskIndex, input: BlobName, refs: readonly BlobName[]): NewTask {
  const isNamed = refs.some(({ sha256 }) => sha256 === input.sha256);
  return { index, input, refs: bounded(isNamed ? refs : [...refs, input]) };
}

function bounded(refs: readonly BlobName[]): readonly BlobName[] {
  if (refs.length <= limits.refsPerTask) return refs;
  throw new PlatformError(
    "TOO_LARGE",
    `The input needs ${refs.length} blobs; at most ${limits.refsPerTask} are allowed.`,
  );
}

const items = new MessagePack(messagePackBounds.item);

function decodeItem(raw: Uint8Array): unknown {
  try {
    return items.decode(plainBytes(raw));
  } catch (error) {
    const reason = messageOf(error);
    throw new PlatformError("BAD_REQUEST", `The item cannot be decoded: ${reason}.`, error);
  }
}

/** Whether a line is blank; the first line may begin with a byte order mark. */
function isBlank(line: Uint8Array): boolean {
  const isMarked = line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf;
  return (isMarked ? line.subarray(3) : line).every((byte) => byte === 13 || byte === 32 || byte === 9);
}
