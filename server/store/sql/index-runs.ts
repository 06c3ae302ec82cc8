import type { TaskIndex } from "../../../shared/ids.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/**
 * Indexes in the order in which their tasks ended: the first index in a column of its own, and `runs` for the runs of
 * consecutive indexes. `runs` is null for a single run, else the length of the first run, then for each further run its
 * distance from the end of the run before and its length. A run takes about two bytes, and the indexes of a pack are read
 * without its values.
 */
export function encodeRuns(indexes: readonly TaskIndex[]): Uint8Array | null {
  if (indexes.length === 1) return null;
  const writer = new VarintWriter();
  let start = 0;
  for (let at = 1; at <= indexes.length; at++) {
    const expected = indexes[at - 1]! + 1;
    if (at < indexes.length && indexes[at] === expected) continue;
    if (start === 0 && at === indexes.length) return null;
    writer.unsigned(at - start);
    if (at < indexes.length) writer.signed(indexes[at]! - expected);
    start = at;
  }
  return writer.finish();
}

/** Calls back with every run of consecutive indexes, in order. */
export function forEachRun(
  first: TaskIndex,
  count: number,
  runs: Uint8Array | null,
  visit: (first: TaskIndex, count: number) => void,
): void {
  if (runs === null) return visit(first, count);
  const reader = new VarintReader(runs);
  for (let index = first; ; index += reader.signed()) {
    const length = reader.unsigned();
    visit(index, length);
    index += length;
    if (reader.done) return;
  }
}

/** Lists the indexes in order. */
export function decodeRuns(first: TaskIndex, count: number, runs: Uint8Array | null): TaskIndex[] {
  if (count === 1) return [first];
  const indexes: TaskIndex[] = [];
  forEachRun(first, count, runs, (from, length) => {
    for (let index = from; index < from + length; index++) indexes.push(index);
  });
  return indexes;
}
