import { decodeValue, type Value } from "../shared/codec.ts";
import { DataReference, type BlobName } from "../shared/data-reference.ts";
import { PlatformError } from "../shared/errors.ts";
import type { JobId } from "../shared/ids.ts";
import type { ResultLine } from "../shared/rest.ts";
import { getBlob } from "./blobs.ts";
import type { HttpClient } from "./http.ts";
import { streamResults } from "./result-stream.ts";
import { TaskError } from "./task-error.ts";

/**
 * How one task ended: `error` is undefined exactly when the task is done.
 * `if (outcome.error) … else use(outcome.output)`. `seq` numbers the outcomes of a job in the order of their completion.
 */
export type TaskOutcome<Output> =
  | { readonly seq: number; readonly index: number; readonly output: Output; readonly error?: undefined }
  | { readonly seq: number; readonly index: number; readonly error: TaskError; readonly output?: undefined };

/** The last line of a job's results. */
export type JobEnd = Extract<ResultLine, { state: "end" }>;
type TaskLine = Exclude<ResultLine, JobEnd>;

/** Large outputs that are fetched while earlier ones are used: hides the round trip, bounds the memory. */
const fetchedAhead = 4;

/** Outcomes of a job in completion order; returns how the job ended (undefined without `follow`). */
export async function* streamOutcomes(
  http: HttpClient,
  id: JobId,
  options: { after?: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<TaskOutcome<Value>, JobEnd | undefined, undefined> {
  const own = new AbortController();
  const signal = AbortSignal.any([options.signal, own.signal]);
  const lines = streamResults(http, id, { ...options, signal });
  const queue: Promise<TaskOutcome<Value>>[] = [];
  let end: JobEnd | undefined;
  let next: Promise<IteratorResult<ResultLine, void>> | undefined = lines.next();
  try {
    while (next || queue.length > 0) {
      if (next && queue.length < fetchedAhead && (await isFirst(next, queue[0]))) {
        const line: ResultLine | undefined = (await next).value ?? undefined;
        if (line?.state === "end") end = line;
        next = line === undefined || line.state === "end" ? undefined : lines.next();
        if (line === undefined || line.state === "end") continue;
        const outcome = outcomeOf(http, line, signal);
        if (!(outcome instanceof Promise) && queue.length === 0) yield outcome;
        else queue.push(handled(Promise.resolve(outcome)));
        continue;
      }
      const head = queue.shift();
      if (head) yield await head;
    }
    return end;
  } finally {
    own.abort();
    if (next) void handled(next);
    void handled(lines.return());
  }
}

/** Whether `next` settles before `head` does, where there is a head. */
async function isFirst(next: Promise<unknown>, head: Promise<unknown> | undefined): Promise<boolean> {
  if (!head) return true;
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

/** Marks a promise whose failure is met later, or no more. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function outcomeOf(
  http: HttpClient,
  line: TaskLine,
  signal: AbortSignal,
): TaskOutcome<Value> | Promise<TaskOutcome<Value>> {
  const { seq, index } = line;
  if (line.state === "failed") return { seq, index, error: new TaskError(line) };
  if (line.output instanceof Uint8Array) return { seq, index, output: decodeValue(line.output) };
  const blob = line.outputBlob ?? (line.output as BlobName | undefined);
  if (!blob?.sha256)
    throw new PlatformError("UPGRADE_REQUIRED", `The output of task ${index} came in an unknown form.`);
  return getBlob(http, new DataReference(blob.sha256, blob.size), signal).then((bytes) => ({
    seq,
    index,
    output: decodeValue(bytes),
  }));
}
