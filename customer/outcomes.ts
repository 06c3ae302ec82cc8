import { decodeValue, type Value } from "../shared/wire/codec.ts";
import { DataReference, type BlobName } from "../shared/data-reference.ts";
import { PlatformError, type ErrorCode } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import type { ResultPack } from "../shared/wire/result-pack.ts";
import type { ResultLine } from "../shared/wire/rest/results.ts";
import { getBlob } from "./blobs.ts";
import type { HttpClient } from "./http.ts";
import { streamResults } from "./result-stream.ts";
import { TaskError } from "./task-error.ts";
import { unreadableOutput } from "../shared/wire/task.ts";

/**
 * The end of a task: `error` is undefined exactly when the task is done. `if (outcome.error) … else use(outcome.output)`. `seq`
 * numbers the outcomes of a job in the order of their completion.
 */
export type TaskOutcome<Output> =
  | { readonly seq: number; readonly index: number; readonly output: Output; readonly error?: undefined }
  | { readonly seq: number; readonly index: number; readonly error: TaskError; readonly output?: undefined };

/** Outcomes that arrived together; each is decoded when it is taken. */
export type OutcomeBatch<Output> = Iterable<TaskOutcome<Output>>;

/** The last line of a job's results. */
export type JobEnd = Extract<ResultLine, { state: "end" }>;

/** Large outputs that are fetched while earlier outcomes are used, which hides the round trip and bounds memory. */
const fetchedAhead = 4;
/** Parts of packs that wait behind a large output. */
const partsAhead = 2 * fetchedAhead;

type Batch = OutcomeBatch<Value>;
/** Successive outcomes that are present, or a function that fetches a large output. */
type Part = Batch | (() => Promise<Batch>);

/** Outcomes of a job in completion order. @returns how the job ended (undefined without `follow`) */
export async function* streamOutcomes(
  http: HttpClient,
  id: JobId,
  options: { after?: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<Batch, JobEnd | undefined, undefined> {
  const own = new AbortController();
  const signal = AbortSignal.any([options.signal, own.signal]);
  const parts = partsOf(http, id, { ...options, signal });
  const queue: (Batch | Promise<Batch>)[] = [];
  let end: JobEnd | undefined;
  let next: Promise<IteratorResult<Part, JobEnd | undefined>> | undefined = parts.next();
  try {
    while (next || queue.length > 0) {
      if (next && hasRoom(queue) && (await isFirst(next, queue[0]))) {
        const step: IteratorResult<Part, JobEnd | undefined> = await next;
        next = step.done ? undefined : parts.next();
        if (step.done) end = step.value;
        else queue.push(typeof step.value === "function" ? handled(step.value()) : step.value);
        continue;
      }
      const head = queue.shift();
      if (head) yield await head;
    }
    return end;
  } finally {
    own.abort();
    if (next) void handled(next);
    void handled(parts.return(undefined));
  }
}

function hasRoom(queue: readonly unknown[]): boolean {
  if (queue.length === 0) return true;
  const fetching = queue.filter((part) => part instanceof Promise).length;
  return fetching < fetchedAhead && queue.length < partsAhead;
}

/** Whether `next` comes before any part: there is no part, or `next` settles before the first part does. */
async function isFirst(next: Promise<unknown>, head: Batch | Promise<Batch> | undefined): Promise<boolean> {
  if (!head) return true;
  if (!(head instanceof Promise)) return false;
  return Promise.race([
    head.then(
      () => false,
      () => false,
    ),
    next.then(
      () => true,
      () => true,
    ),
  ]);
}

/** Marks a promise whose failure is handled later, or not at all. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function* partsOf(
  http: HttpClient,
  id: JobId,
  options: { after?: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<Part, JobEnd | undefined, undefined> {
  for await (const line of streamResults(http, id, options)) {
    if (line.state === "pack") yield* partsOfPack(http, line, options.signal);
    else if (line.state === "end") return line;
  }
  return undefined;
}

/** The parts of a pack, which is cut at its large outputs. */
function* partsOfPack(
  http: HttpClient,
  pack: ResultPack,
  signal: AbortSignal,
): Generator<Part, void, undefined> {
  const count = pack.seqs.length;
  let from = 0;
  let at = 0;
  for (const [position, blob] of [...pack.large, [count, undefined] as const]) {
    if (position > from) yield inlineOutcomes(pack, from, position, at);
    for (; from < position; from++) at += pack.sizes[from]!;
    if (blob) yield () => fetchOutcome(http, pack, position, blob, signal);
    from = position + 1;
  }
}

/** Outcomes from position `from` to `to`, whose outputs begin at byte `start`. */
function* inlineOutcomes(
  pack: ResultPack,
  from: number,
  to: number,
  start: number,
): Generator<TaskOutcome<Value>, void, undefined> {
  const { seqs, indexes, sizes, bytes, failures } = pack;
  let at = start;
  for (let position = from; position < to; position++) {
    const seq = seqs[position]!;
    const index = indexes[position]!;
    const end = at + sizes[position]!;
    const failure = end === at ? failures.get(position) : undefined;
    if (failure) yield { seq, index, error: new TaskError(failure) };
    else yield outcomeOf(seq, index, bytes.subarray(at, end));
    at = end;
  }
}

async function fetchOutcome(
  http: HttpClient,
  pack: ResultPack,
  position: number,
  blob: BlobName,
  signal: AbortSignal,
): Promise<Batch> {
  const [seq, index] = [pack.seqs[position]!, pack.indexes[position]!];
  try {
    return [
      outcomeOf(seq, index, await getBlob(http, new DataReference(blob.sha256, blob.size), { signal })),
    ];
  } catch (error) {
    if (!(error instanceof PlatformError) || !lostCodes.includes(error.code)) throw error;
    return [{ seq, index, error: unreadable(index, "data", error) }];
  }
}

/** Refusals that concern one blob only. */
const lostCodes: readonly ErrorCode[] = ["NOT_FOUND", "HASH_MISMATCH", "TOO_LARGE"];

/** An unreadable output becomes one failed task, so that the job's other outputs are read. */
function outcomeOf(seq: number, index: number, bytes: Uint8Array): TaskOutcome<Value> {
  try {
    return { seq, index, output: decodeValue(bytes) };
  } catch (error) {
    return { seq, index, error: unreadable(index, "unserialisable", error) };
  }
}

function unreadable(index: number, kind: "data" | "unserialisable", error: unknown): TaskError {
  const { message } = PlatformError.from(error);
  return new TaskError({ index, kind, message: unreadableOutput(message), attempts: 1 });
}
