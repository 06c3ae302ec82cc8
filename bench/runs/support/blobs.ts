import { createHash, randomFillSync } from "node:crypto";
import type { BlobName } from "../../../shared/data-reference.ts";
import type { Sha256 } from "../../../shared/ids.ts";

const mib = 1024 ** 2;

/** The data that a run moves: `--mib 1024 --blobs 1024`. */
interface Amount {
  readonly mib: number;
  readonly blobs: number;
}

/** The blobs of a run, each made when its turn comes: random, all different, the same size. */
export function* makeBlobs({ mib: total, blobs }: Amount): Generator<Uint8Array> {
  for (let at = 0; at < blobs; at++) yield randomFillSync(new Uint8Array(Math.floor((total * mib) / blobs)));
}

export function nameOf(bytes: Uint8Array): BlobName {
  return { sha256: createHash("sha256").update(bytes).digest("hex") as Sha256, size: bytes.length };
}

/** Works through items with so many under way at once. */
export async function eachAtOnce<Item>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** MiB a second, to a tenth. */
export function mibPerSecond(bytes: number, ms: number): number {
  return Math.round((bytes / mib / ms) * 10_000) / 10;
}
