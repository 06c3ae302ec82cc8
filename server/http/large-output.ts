import type { Sha256, TaskIndex } from "../../shared/ids.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { unreadableOutput } from "../../shared/wire/task.ts";
import type { ResultLine } from "../../shared/wire/rest.ts";
import type { Blobs } from "./context.ts";
import { JsonTranscoder } from "./json-transcoder.ts";

/** A result whose output is in a blob, for a reply in JSON. */
export interface LargeResult {
  readonly seq: number;
  readonly index: TaskIndex;
  readonly output: BlobName;
  /** The end of the item: a line end, or nothing. */
  readonly closing: string;
}

/**
 * The item of a large output, piece by piece. The blob is read to its end before the first piece, so that an unreadable blob
 * becomes a failed result instead of an incomplete line.
 * @throws PlatformError STORE_FAILED
 */
export async function* largeJsonItem(
  blobs: Pick<Blobs, "open">,
  { seq, index, output, closing }: LargeResult,
): AsyncGenerator<string, void, undefined> {
  try {
    for await (const piece of jsonPieces(blobs, output.sha256)) void piece;
  } catch (error) {
    const refusal = PlatformError.from(error);
    if (refusal.code === "STORE_FAILED") throw error;
    const kind = refusal.code === "NOT_FOUND" ? "data" : "unserialisable";
    yield JSON.stringify(unreadableLine(seq, index, kind, refusal.message)) + closing;
    return;
  }
  yield `${JSON.stringify({ state: "done", seq, index }).slice(0, -1)},"output":`;
  yield* jsonPieces(blobs, output.sha256);
  yield `}${closing}`;
}

async function* jsonPieces(
  blobs: Pick<Blobs, "open">,
  sha256: Sha256,
): AsyncGenerator<string, void, undefined> {
  const transcoder = new JsonTranscoder();
  for await (const chunk of blobs.open(sha256) as AsyncIterable<Uint8Array>) yield transcoder.push(chunk);
  transcoder.end();
}

/** The item of a finished task whose output cannot be read. */
export function unreadableLine(
  seq: number,
  index: TaskIndex,
  kind: "data" | "unserialisable",
  reason: string,
): ResultLine {
  return { state: "failed", seq, index, kind, message: unreadableOutput(reason), attempts: 1 };
}
