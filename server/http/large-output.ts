import type { Sha256 } from "../../shared/ids.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { unreadableOutput } from "../../shared/wire/task.ts";
import type { ProvisionalLine, ResultLine } from "../../shared/wire/rest/results.ts";
import type { Blobs } from "./context.ts";
import { JsonTranscoder } from "./json-transcoder.ts";

type DoneItem = Pick<Extract<ResultLine, { state: "done" }>, "state" | "seq" | "index">;

/** A result whose output is in a blob, for a reply in JSON. */
export interface LargeResult {
  /** The item without its output. */
  readonly item: DoneItem | ProvisionalLine;
  readonly output: BlobName;
  /** The end of the item: a line end, or nothing. */
  readonly closing: string;
}

/**
 * The item of a large output, piece by piece. The blob is read to its end before the first piece, and verified, so that an unreadable
 * or damaged blob becomes a failed result instead of an incomplete line or another value.
 * @throws PlatformError STORE_FAILED
 */
export async function* largeJsonItem(
  blobs: Pick<Blobs, "open" | "verify" | "isVerified">,
  { item, output, closing }: LargeResult,
): AsyncGenerator<string, void, undefined> {
  try {
    const { sha256 } = output;
    if (!blobs.isVerified(sha256) && (await blobs.verify(sha256)) === "damaged") throw damagedBlob(sha256);
    for await (const piece of jsonPieces(blobs, output.sha256)) void piece;
  } catch (error) {
    const refusal = PlatformError.from(error);
    if (refusal.code === "STORE_FAILED") throw error;
    const kind = refusal.code === "NOT_FOUND" ? "data" : "unserialisable";
    yield JSON.stringify(unreadableItem(item, kind, refusal.message)) + closing;
    return;
  }
  yield `${JSON.stringify(item).slice(0, -1)},"output":`;
  yield* jsonPieces(blobs, output.sha256);
  yield `}${closing}`;
}

function damagedBlob(sha256: Sha256): PlatformError {
  return new PlatformError("NOT_FOUND", `Blob ${sha256} is damaged on the server's disk.`);
}

async function* jsonPieces(
  blobs: Pick<Blobs, "open">,
  sha256: Sha256,
): AsyncGenerator<string, void, undefined> {
  const transcoder = new JsonTranscoder();
  for await (const chunk of blobs.open(sha256) as AsyncIterable<Uint8Array>) yield transcoder.push(chunk);
  transcoder.end();
}

/** The item of a result whose output cannot be read: a done task has failed for its customer. */
export function unreadableItem(
  item: DoneItem | ProvisionalLine,
  kind: "data" | "unserialisable",
  reason: string,
): ResultLine | ProvisionalLine {
  return item.state === "done" ? unreadableLine(item, kind, reason) : { ...item, message: reason };
}

/** The failed result that a customer reads instead of an unreadable output. */
export function unreadableLine(
  { seq, index }: Pick<DoneItem, "seq" | "index">,
  kind: "data" | "unserialisable",
  reason: string,
): ResultLine {
  return { state: "failed", seq, index, kind, message: unreadableOutput(reason), attempts: 1 };
}
