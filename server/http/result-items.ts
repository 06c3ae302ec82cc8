import { MessagePack } from "../../shared/wire/messagepack.ts";
import { messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import { checkValue, decodeValue } from "../../shared/wire/codec.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Payload } from "../../shared/wire/protocol.ts";
import { contentTypes } from "../../shared/wire/rest/content-types.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import { emptyFrame, encodeJobLine, encodeResultPack, type JobLine } from "../../shared/wire/result-pack.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import type { ProvisionalResult, ResultRow } from "../store/store.ts";
import { unreadableItem, unreadableLine, type LargeResult } from "./large-output.ts";

/** A form of results: a whole reply is `opening`, parts with `separator` between them, `closing`. */
export interface ResultFormat {
  readonly contentType: string;
  /** A page of results: an item for each result, or several results in one part. */
  parts(rows: readonly ResultRow[]): Iterable<Uint8Array | string | LargeResult>;
  end(job: JobInfo): Uint8Array | string;
  readonly opening: string;
  readonly separator: string;
  readonly closing: string;
  /** Has no meaning for a reader; sent now and then so that no proxy takes the connection for dead. */
  readonly keepAlive: Uint8Array | string;
}

function itemEach<Item>(item: (row: ResultRow) => Item): (rows: readonly ResultRow[]) => Iterable<Item> {
  return function* (rows) {
    for (const row of rows) yield item(row);
  };
}

function jsonItem(row: ResultRow, closing: string): string | LargeResult {
  if (row.state === "failed") return JSON.stringify(plainLine(row)) + closing;
  const { state, seq, index, output } = row;
  return outputItem({ state, seq, index }, output, closing);
}

function outputItem(item: LargeResult["item"], output: Payload, closing: string): string | LargeResult {
  if (!(output instanceof Uint8Array)) return { item, output, closing };
  try {
    return JSON.stringify({ ...item, output: valueToJson(decodeValue(output)) }) + closing;
  } catch (error) {
    return (
      JSON.stringify(unreadableItem(item, "unserialisable", PlatformError.from(error).message)) + closing
    );
  }
}

/** A provisional result as a line of NDJSON. */
export function provisionalItem({ index, client, output }: ProvisionalResult): string | LargeResult {
  return outputItem({ state: "provisional", index, client }, output, "\n");
}

const jsonEnd = (job: JobInfo): string => JSON.stringify(endLine(job));

/** A JSON value on each line. */
export const ndjsonResults: ResultFormat = {
  contentType: "application/x-ndjson",
  parts: itemEach((row) => jsonItem(row, "\n")),
  end: (job) => `${jsonEnd(job)}\n`,
  opening: "",
  separator: "",
  closing: "",
  keepAlive: "\n",
};

/** Items as a JSON array. */
export const jsonResults: ResultFormat = {
  contentType: "application/json; charset=utf-8",
  parts: itemEach((row) => jsonItem(row, "")),
  end: jsonEnd,
  opening: "[",
  separator: ",\n",
  closing: "]\n",
  keepAlive: "\n",
};

const items = new MessagePack(messagePackBounds.resultPack);

/** Concatenated MessagePack values, outputs as the bytes that the client encoded. */
export const msgpackResults: ResultFormat = {
  contentType: "application/x-msgpack",
  parts: itemEach((row) => items.encode(msgpackLine(row))),
  end: (job) => items.encode(endLine(job)),
  opening: "",
  separator: "",
  closing: "",
  // nil
  keepAlive: Uint8Array.of(0xc0),
};

/**
 * A pack ends at this many bytes of outputs or results, so that a reader with a bad connection still makes progress and begins
 * while the next pack is written. Larger packs gain little: a pack costs 7 µs.
 */
const packBytes = 64 * 1024;
const packResults = 1024;

/** Frames of columns. An output of 100 bytes costs 0.15 µs. */
export const packedResults: ResultFormat = {
  contentType: contentTypes.resultPack,
  *parts(rows) {
    let from = 0;
    let bytes = 0;
    // A loop over positions: `entries()` leaves 110 bytes of garbage a row.
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!;
      bytes += row.state === "done" && row.output instanceof Uint8Array ? row.output.length : 0;
      if (bytes < packBytes && at + 1 - from < packResults) continue;
      yield encodeResultPack(rows.slice(from, at + 1));
      from = at + 1;
      bytes = 0;
    }
    if (from < rows.length) yield encodeResultPack(rows.slice(from));
  },
  end: (job) => encodeJobLine(endLine(job)),
  opening: "",
  separator: "",
  closing: "",
  keepAlive: emptyFrame,
};

function msgpackLine(row: ResultRow): ResultLine {
  if (row.state === "failed" || !(row.output instanceof Uint8Array)) return plainLine(row);
  try {
    checkValue(row.output);
    return plainLine(row);
  } catch (error) {
    return unreadableLine(row, "unserialisable", PlatformError.from(error).message);
  }
}

function plainLine(row: ResultRow): ResultLine {
  if (row.state === "failed") return { state: row.state, seq: row.seq, ...row.failure };
  return { state: row.state, seq: row.seq, index: row.index, output: row.output };
}

function endLine({ state, counts, statement }: JobInfo): JobLine {
  return { state: "end", job: state, counts, statement };
}
