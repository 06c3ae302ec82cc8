import { encodeShared, type Value } from "../shared/wire/codec.ts";
import type { BlobName } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import { TaskPacker } from "../shared/wire/task-pack.ts";
import { putBytes } from "./blobs.ts";
import type { HttpClient } from "./http.ts";

/** Bounds of a request in tasks and in bytes, so that a lost reply costs little and the server never holds much. */
export const largestBatchTasks = 2048;
const batchBytes = 1024 * 1024;

type Encoded = ReturnType<typeof encodeShared>;

/** An input that was encoded when its task was submitted, so that a refusal is of that task alone. */
export class EncodedInput {
  readonly bytes: Uint8Array;
  readonly refs: readonly BlobName[];

  /** @throws PlatformError UNSERIALISABLE, TOO_LARGE */
  constructor(input: Value) {
    const { bytes, refs } = encode(input);
    this.bytes = bytes.slice();
    this.refs = refs;
  }
}

function union(own: readonly BlobName[], added: readonly BlobName[]): readonly BlobName[] {
  return [...own, ...added.filter(({ sha256 }) => !own.some((ref) => ref.sha256 === sha256))];
}

function encode(input: Value): Encoded {
  const encoded = encodeShared(input);
  if (encoded.refs.length > limits.refsPerTask)
    throw new PlatformError(
      "TOO_LARGE",
      `The input has ${encoded.refs.length} data references; at most ${limits.refsPerTask} are allowed.`,
    );
  return encoded;
}

/** Tasks with consecutive indexes for one request. Inputs over 256 KiB become blobs of their own. */
export class TaskBatch {
  readonly #http: HttpClient;
  readonly #signal: AbortSignal;
  readonly #first: number;
  readonly #maxTasks: number;
  readonly #refs: readonly BlobName[];
  readonly #tasks: TaskPacker;
  readonly #uploads: Promise<void>[] = [];
  #largeBytes = 0;

  /**
   * @param first - index of the first task
   * @param maxTasks - most tasks of the batch
   * @param refs - blobs that every task names beside those of its input
   */
  constructor(
    http: HttpClient,
    signal: AbortSignal,
    { first, maxTasks, refs = [] }: { first: number; maxTasks: number; refs?: readonly BlobName[] },
  ) {
    this.#http = http;
    this.#signal = signal;
    this.#first = first;
    this.#maxTasks = maxTasks;
    this.#refs = refs;
    this.#tasks = new TaskPacker(first);
  }

  get length(): number {
    return this.#tasks.length;
  }

  /** Index of the first task behind this batch. */
  get end(): number {
    return this.#first + this.length;
  }

  get isFull(): boolean {
    return (
      this.length >= this.#maxTasks ||
      this.#tasks.bytes + this.#largeBytes >= batchBytes ||
      this.#tasks.isFull
    );
  }

  /** Adds the input of the next task. @throws PlatformError UNSERIALISABLE, TOO_LARGE naming the input */
  add(input: Value | EncodedInput): void {
    const { bytes, refs: own } = input instanceof EncodedInput ? input : this.#encode(this.end, input);
    const refs = this.#refs.length === 0 ? own : union(own, this.#refs);
    if (bytes.length <= limits.inlineValueBytes) this.#tasks.add(bytes, refs);
    else this.#addLarge(bytes.slice(), refs);
  }

  /** The request body, after its blobs are stored. */
  async body(): Promise<Uint8Array<ArrayBuffer>> {
    await Promise.all(this.#uploads);
    return this.#tasks.encode();
  }

  #addLarge(bytes: Uint8Array, refs: readonly BlobName[]): void {
    this.#largeBytes += bytes.length;
    const name = this.#tasks.addLarge(refs);
    const upload = putBytes(this.#http, bytes, { signal: this.#signal }).then(({ sha256, size }) =>
      name({ sha256, size }),
    );
    // `body()` awaits the upload; a failure before that must not be an unhandled rejection.
    upload.catch(() => undefined);
    this.#uploads.push(upload);
  }

  #encode(index: number, input: Value): Encoded {
    try {
      return encode(input);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      throw new PlatformError(error.code, `Input ${index}: ${error.message}`, error);
    }
  }
}
