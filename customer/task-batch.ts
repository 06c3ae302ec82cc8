import { encode } from "@msgpack/msgpack";
import { encodeWithReferences, type Value } from "../shared/codec.ts";
import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";
import type { TaskItem } from "../shared/rest.ts";
import { putBytes } from "./blobs.ts";
import type { HttpClient } from "./http.ts";

/** A request holds at most this much, so that a lost reply costs little and the server never holds much. */
const batchTasks = 2048;
const batchBytes = 1024 * 1024;

/** Tasks on their way to the server as one request. Inputs over 256 KiB are put as blobs of their own. */
export class TaskBatch {
  readonly #http: HttpClient;
  readonly #signal: AbortSignal;
  readonly #items: (Uint8Array | undefined)[] = [];
  readonly #uploads: Promise<void>[] = [];
  #bytes = 0;

  constructor(http: HttpClient, signal: AbortSignal) {
    this.#http = http;
    this.#signal = signal;
  }

  get length(): number {
    return this.#items.length;
  }

  get isFull(): boolean {
    return this.#items.length >= batchTasks || this.#bytes >= batchBytes;
  }

  /** @throws PlatformError UNSERIALISABLE, TOO_LARGE naming the input */
  add(index: number, input: Value): void {
    const { bytes, refs } = this.#encode(index, input);
    if (refs.length > limits.refsPerTask)
      throw new PlatformError(
        "TOO_LARGE",
        `Input ${index} has ${refs.length} data references; at most ${limits.refsPerTask} are allowed.`,
      );
    this.#bytes += bytes.length;
    if (bytes.length <= limits.inlineValueBytes) {
      this.#items.push(itemBytes({ index, input: bytes, ...(refs.length > 0 && { refs }) }));
      return;
    }
    const at = this.#items.push(undefined) - 1;
    const upload = putBytes(this.#http, bytes, this.#signal).then(({ sha256, size }) => {
      this.#items[at] = itemBytes({ index, input: { sha256, size }, refs: [{ sha256, size }, ...refs] });
    });
    // Awaited in body(); until then a failure is nobody's yet.
    upload.catch(() => undefined);
    this.#uploads.push(upload);
  }

  /** The request body, once its blobs are stored. */
  async body(): Promise<Uint8Array<ArrayBuffer>> {
    await Promise.all(this.#uploads);
    const items = this.#items.filter((item) => item !== undefined);
    const body = new Uint8Array(items.reduce((sum, item) => sum + item.length, 0));
    let at = 0;
    for (const item of items) {
      body.set(item, at);
      at += item.length;
    }
    return body;
  }

  #encode(index: number, input: Value): ReturnType<typeof encodeWithReferences> {
    try {
      return encodeWithReferences(input);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      throw new PlatformError(error.code, `Input ${index}: ${error.message}`, error);
    }
  }
}

function itemBytes(item: TaskItem): Uint8Array {
  return encode(item);
}
