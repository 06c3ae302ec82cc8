import * as v from "valibot";
import { blobNameSchema, type DataReferenceShape } from "../data-reference.ts";
import type { Sha256 } from "../ids.ts";
import { limits } from "../limits.ts";

const { chunkBytes, wholeBytes } = limits;
const byteCount = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(limits.blobBytes));
type Range = [start: number, end: number];

/** A blob for a client's cache: all of it, or these ranges, in chunks. */
export const precacheItemSchema = v.pipe(
  v.strictObject({
    ...blobNameSchema.entries,
    ranges: v.optional(v.pipe(v.array(v.tuple([byteCount, byteCount])), v.maxLength(limits.precacheRefs))),
  }),
  v.check(
    ({ size, ranges = [] }) => ranges.every(([start, end]) => start < end && end <= size),
    "expected ranges [start, end) inside the blob",
  ),
);
export type PrecacheItem = v.InferOutput<typeof precacheItemSchema>;

/**
 * Turns references into items for a cache, one for each blob. Overlapping parts count once, and ranges of large blobs become
 * the chunks that hold them. Caches hold small blobs whole, so any part of a small blob becomes the whole.
 */
export function precacheItems(refs: readonly DataReferenceShape[]): PrecacheItem[] {
  const wanted = new Map<Sha256, { size: number; whole: boolean; ranges: Range[] }>();
  for (const { sha256, size, range } of refs) {
    const blob = wanted.get(sha256) ?? { size, whole: false, ranges: [] };
    wanted.set(sha256, blob);
    const [start, end] = range ?? [0, size];
    if (size <= wholeBytes || end - start === size) blob.whole = true;
    else if (end > start) blob.ranges.push(inChunks(start, end, size));
  }
  return [...wanted].flatMap(([sha256, { size, whole, ranges }]) => {
    if (whole) return [{ sha256, size }];
    return ranges.length > 0 ? [{ sha256, size, ranges: merged(ranges) }] : [];
  });
}

/** Bytes of an item in a cache. */
export function precacheBytes({ size, ranges }: PrecacheItem): number {
  return ranges ? ranges.reduce((sum, [start, end]) => sum + end - start, 0) : size;
}

function inChunks(start: number, end: number, size: number): Range {
  const chunk = (at: number): number => Math.min(size, at * chunkBytes);
  return [chunk(Math.floor(start / chunkBytes)), chunk(Math.ceil(end / chunkBytes))];
}

function merged(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}
