import * as v from "valibot";
import { blobNameSchema, type BlobName } from "./data-reference.ts";

const wholeNumber = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The blobs that a pack refers to, each named once. */
export const blobTableSchema = v.array(blobNameSchema);
/**
 * What only some tasks of a pack have stands beside its columns: `[position, …blobs]` for each of those, ascending, a blob
 * as its place in the table.
 */
export const placedSchema = v.pipe(v.array(wholeNumber), v.minLength(2));
export type Placed = readonly number[];

/** Gives each blob of a pack its place. */
export class BlobTable {
  readonly blobs: BlobName[] = [];
  readonly #places = new Map<string, number>();

  placeOf({ sha256, size }: BlobName): number {
    let place = this.#places.get(sha256);
    if (place === undefined) {
      place = this.blobs.push({ sha256, size }) - 1;
      this.#places.set(sha256, place);
    }
    return place;
  }
}

/** @throws Error when it is no list of blob names */
export function checkBlobs(list: unknown): readonly BlobName[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw new Error("blobs are expected as an array");
  return list.map((name) => v.parse(blobNameSchema, name, { abortEarly: true }));
}

/**
 * The blobs by position in the pack.
 * @throws Error when a position or place is out of range or not in order, or a list is longer than `maxBlobs`
 */
export function checkPlaced(
  list: unknown,
  count: number,
  blobs: readonly BlobName[],
  maxBlobs: number,
): ReadonlyMap<number, readonly BlobName[]> {
  const placed = new Map<number, readonly BlobName[]>();
  if (list === undefined) return placed;
  if (!Array.isArray(list)) throw new Error("places of blobs are expected as an array");
  let last = -1;
  for (const item of list as unknown[]) {
    if (!Array.isArray(item) || item.length < 2 || item.length > maxBlobs + 1)
      throw new Error(`an array of a position and 1 to ${maxBlobs} blobs is expected`);
    const [position, ...places] = item as unknown[];
    if (!isBelow(position, count) || position <= last)
      throw new Error(`positions are expected to grow, below ${count}`);
    last = position;
    placed.set(
      position,
      places.map((place) => {
        if (!isBelow(place, blobs.length)) throw new Error(`a blob is expected below ${blobs.length}`);
        return blobs[place]!;
      }),
    );
  }
  return placed;
}

function isBelow(value: unknown, limit: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < limit;
}
