import * as v from "valibot";
import { unpackValues } from "./column-pack.ts";
import { blobNameSchema, type BlobName } from "../data-reference.ts";
import { checkValue } from "./codec.ts";
import { messageOf, PlatformError } from "../errors.ts";
import { taskIndexSchema, type TaskIndex } from "../ids.ts";
import { limits } from "../limits.ts";
import { messagePackBounds } from "./messagepack-walk.ts";
import { MessagePack } from "./messagepack.ts";
import { packSchema } from "./pack-schema.ts";
import { PackWriter } from "./pack-writer.ts";
import { refsSchema } from "./task.ts";

/** A task of a pack. */
export interface PackedTask {
  readonly index: TaskIndex;
  /** Encoded bytes (a view into the pack), or the blob that holds them. */
  readonly input: Uint8Array | BlobName;
  /** Blobs that the input refers to, and the blob that holds the input. */
  readonly refs: readonly BlobName[];
}

/** Tasks with consecutive indexes on the wire, one MessagePack map. Values are the encoded inputs. */
export const taskPackSchema = packSchema(
  /** Index of the first task. */
  { first: taskIndexSchema },
  {
    /** The blob that holds the input; the task's value in the pack is empty then. */
    input: v.optional(blobNameSchema),
    refs: v.optional(refsSchema),
  },
);
type TaskPackForm = v.InferOutput<typeof taskPackSchema>;
type TaskExtra = NonNullable<TaskPackForm["extras"]>[number];

/**
 * A pack with this many references takes no more tasks: each reference is six elements at most, and the next task's must fit,
 * too.
 */
const fullRefs = 32 * 1024;

const messagePack = new MessagePack(messagePackBounds.taskPack);

/** Fills a pack with tasks `first`, `first + 1` … */
export class TaskPacker {
  readonly #first: TaskIndex;
  readonly #inputs = new PackWriter<Omit<TaskExtra, "at">>();
  #refCount = 0;

  constructor(first: TaskIndex) {
    this.#first = first;
  }

  get length(): number {
    return this.#inputs.count;
  }

  /** Bytes of inputs so far. */
  get bytes(): number {
    return this.#inputs.used;
  }

  /** Whether another task may exceed the bounds of a pack. */
  get isFull(): boolean {
    return this.length >= limits.tasksPerMessage || this.#refCount >= fullRefs;
  }

  /** Adds a task; the bytes are copied. */
  add(input: Uint8Array, refs: readonly BlobName[]): void {
    this.#refCount += refs.length;
    this.#inputs.add(input, refs.length > 0 ? { refs: [...refs] } : undefined);
  }

  /** Adds a task whose input will be in a blob. The returned function names the blob once it is stored. */
  addLarge(refs: readonly BlobName[]): (blob: BlobName) => void {
    this.#refCount += refs.length;
    const extra = this.#inputs.addExtra(refs.length > 0 ? { refs: [...refs] } : {});
    return (blob) => void (extra.input = blob);
  }

  /** The pack on the wire. The blobs of large inputs must be named before. */
  encode(): Uint8Array<ArrayBuffer> {
    return messagePack.encode({ first: this.#first, ...this.#inputs.pack });
  }
}

/**
 * The tasks of a customer's pack. Inputs are views into `bytes`.
 * @throws PlatformError BAD_REQUEST, TOO_LARGE
 */
export function readTaskPack(bytes: Uint8Array): PackedTask[] {
  try {
    return tasksOf(v.parse(taskPackSchema, messagePack.decode(bytes), { abortEarly: true }));
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    const reason = messageOf(error);
    throw new PlatformError("BAD_REQUEST", `The body is no pack of tasks: ${reason}.`, error);
  }
}

const none: readonly BlobName[] = [];

function tasksOf({ first, extras = [], ...values }: TaskPackForm): PackedTask[] {
  if (first + values.sizes.length > limits.maxTaskIndex + 1)
    throw new Error(`indexes are expected from 0 to ${limits.maxTaskIndex}`);
  const tasks = unpackValues(values).map((input, position): PackedTask => {
    return { index: first + position, input, refs: none };
  });
  for (const extra of extras) tasks[extra.at] = withBlobs(tasks[extra.at]!, extra);
  for (const { index, input } of tasks) if (input instanceof Uint8Array) checkInput(input, index);
  return tasks;
}

/** Refuses an input that no kernel could read, before it becomes a task. */
function checkInput(input: Uint8Array, index: TaskIndex): void {
  try {
    checkValue(input);
  } catch (error) {
    throw new PlatformError("BAD_REQUEST", `Input ${index}: ${PlatformError.from(error).message}`, error);
  }
}

function withBlobs({ index, input }: PackedTask, { input: blob, refs = [] }: TaskExtra): PackedTask {
  if (!blob) return { index, input, refs };
  if (input instanceof Uint8Array && input.length > 0)
    throw new Error(`task ${index} has an input both here and in a blob`);
  const isNamed = refs.some(({ sha256 }) => sha256 === blob.sha256);
  const all = isNamed ? refs : [...refs, blob];
  if (all.length > limits.refsPerTask)
    throw new PlatformError(
      "TOO_LARGE",
      `The input of task ${index} needs ${all.length} blobs; at most ${limits.refsPerTask} are allowed.`,
    );
  return { index, input: blob, refs: all };
}
