import type { BlobName } from "../../../shared/data-reference.ts";
import type { Sha256 } from "../../../shared/ids.ts";
import type { Payload } from "../../../shared/wire/protocol.ts";

/** A hash in a column: 32 bytes, half of its text, which saves space in the indexes of references. */
export function hashColumn(sha256: Sha256): Uint8Array {
  return Buffer.from(sha256, "hex");
}

export function readHash(column: Uint8Array): Sha256 {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString("hex") as Sha256;
}

/** References in a column: NULL for none, the usual case. */
export function refsColumn(refs: readonly BlobName[]): string | null {
  return refs.length === 0 ? null : refs.map(nameColumn).join(" ");
}

export function readRefs(column: string | null): BlobName[] {
  return column === null ? [] : column.split(" ").map(readName);
}

/** Every blob that must be kept for a value: those that it refers to, and the blob that holds it. */
export function blobsOf(payload: Payload, refs: readonly BlobName[]): readonly BlobName[] {
  return payload instanceof Uint8Array ? refs : [...refs, payload];
}

/** A blob's name in a text column. */
export function nameColumn({ sha256, size }: BlobName): string {
  return `${sha256}:${size}`;
}

export function readName(text: string): BlobName {
  const [sha256, size] = text.split(":") as [Sha256, string];
  return { sha256, size: Number(size) };
}

/** The references with another one, unless it is among them. */
export function withBlob(refs: readonly BlobName[], blob: BlobName): readonly BlobName[] {
  return refs.some(({ sha256 }) => sha256 === blob.sha256) ? refs : [...refs, blob];
}
