import { Encoder } from "@msgpack/msgpack";
import { decodeValue, valueToJson } from "../../shared/codec.ts";
import type { JobInfo, ResultLine } from "../../shared/rest.ts";
import type { ResultRow } from "../store/store.ts";

/** How results are written: a whole reply is `opening`, items with `separator` between them, `closing`. */
export interface ResultFormat {
  readonly contentType: string;
  item(row: ResultRow): Uint8Array | string;
  end(job: JobInfo): Uint8Array | string;
  readonly opening: string;
  readonly separator: string;
  readonly closing: string;
  /** Means nothing to a reader; sent now and then so that no proxy takes the connection for dead. */
  readonly keepAlive: Uint8Array | string;
}

const jsonItem = (row: ResultRow): string => JSON.stringify(jsonLine(row));
const jsonEnd = (job: JobInfo): string => JSON.stringify(endLine(job));

/** A JSON value a line. */
export const ndjsonResults: ResultFormat = {
  contentType: "application/x-ndjson",
  item: (row) => `${jsonItem(row)}\n`,
  end: (job) => `${jsonEnd(job)}\n`,
  opening: "",
  separator: "",
  closing: "",
  keepAlive: "\n",
};

/** One JSON array. */
export const jsonResults: ResultFormat = {
  contentType: "application/json; charset=utf-8",
  item: jsonItem,
  end: jsonEnd,
  opening: "[",
  separator: ",\n",
  closing: "]\n",
  keepAlive: "\n",
};

/** Kept: making an encoder costs 5 µs, ten times what it then does for a small result. */
const encoder = new Encoder({ ignoreUndefined: true });

/** Concatenated MessagePack values, outputs as the bytes that the client encoded. */
export const msgpackResults: ResultFormat = {
  contentType: "application/x-msgpack",
  item: (row) => encoder.encode(plainLine(row)),
  end: (job) => encoder.encode(endLine(job)),
  opening: "",
  separator: "",
  closing: "",
  // nil
  keepAlive: Uint8Array.of(0xc0),
};

function jsonLine(row: ResultRow): ResultLine {
  if (row.state === "failed") return plainLine(row);
  const { state, seq, index, output } = row;
  if (!(output instanceof Uint8Array)) return { state, seq, index, outputBlob: output };
  return { state, seq, index, output: outputToJson(output) };
}

/** A client wrote these bytes. What cannot be read as a value is handed on as bytes rather than ending the stream. */
function outputToJson(output: Uint8Array): unknown {
  try {
    return valueToJson(decodeValue(output));
  } catch {
    return valueToJson(output);
  }
}

function plainLine(row: ResultRow): ResultLine {
  if (row.state === "failed") return { state: row.state, seq: row.seq, ...row.failure };
  return { state: row.state, seq: row.seq, index: row.index, output: row.output };
}

function endLine({ state, counts }: JobInfo): ResultLine {
  return { state: "end", job: state, counts };
}
