import type { BlobName } from "../../../shared/data-reference.ts";
import type { Payload } from "../../../shared/wire/protocol.ts";
import { readName, readRefs, refsColumn, nameColumn } from "./columns.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/**
 * Most values in a pack, and most bytes unless a single value is larger. Larger packs would gain little (inserting 1,024 values
 * of 100 bytes takes 2 µs) and cost readers of a single value.
 */
const maxValues = 1024;
const maxBytes = 256 * 1024;

/** Values as the columns of one row. */
export interface PackColumns {
  /** The size of each value, as varints; null when there is one value. */
  readonly sizes: Uint8Array | null;
  /** JSON array of {@link Side}s; null when all values are plain bytes without references, the usual case. */
  readonly side: string | null;
  /** The values, one after the other. */
  readonly bytes: Uint8Array;
}

/** Properties of a value beside its bytes: its position in the pack, the blob that holds it, the blobs that it refers to. */
type Side = [position: number, blob: string | null, refs: string | null];

interface PackedValue {
  readonly payload: Payload;
  readonly refs: readonly BlobName[];
}

const noBytes = new Uint8Array();
const noRefs: readonly BlobName[] = Object.freeze([]);

/** A pack under construction. */
export class PackBuilder {
  readonly #payloads: Payload[] = [];
  #sides: Side[] | undefined;
  #bytes = 0;
  #sideBytes = 0;

  get count(): number {
    return this.#payloads.length;
  }

  /** Whether the pack is large enough without this value. */
  isFullFor(payload: Payload): boolean {
    if (this.#payloads.length === 0) return false;
    const size = this.#bytes + this.#sideBytes + sizeOf(payload);
    return this.#payloads.length >= maxValues || size > maxBytes;
  }

  add(payload: Payload, refs: readonly BlobName[]): void {
    const isInline = payload instanceof Uint8Array;
    if (!isInline || refs.length > 0) {
      const side: Side = [this.#payloads.length, isInline ? null : nameColumn(payload), refsColumn(refs)];
      (this.#sides ??= []).push(side);
      this.#sideBytes += 16 + (side[1]?.length ?? 0) + (side[2]?.length ?? 0);
    }
    this.#payloads.push(payload);
    this.#bytes += sizeOf(payload);
  }

  payload(position: number): Payload {
    return this.#payloads[position]!;
  }

  build(): PackColumns {
    const side = this.#sides === undefined ? null : JSON.stringify(this.#sides);
    const first = this.#payloads[0]!;
    if (this.#payloads.length === 1)
      return { sizes: null, side, bytes: first instanceof Uint8Array ? first : noBytes };
    const bytes = Buffer.allocUnsafe(this.#bytes);
    const sizes = new VarintWriter();
    let at = 0;
    for (const payload of this.#payloads) {
      sizes.unsigned(sizeOf(payload));
      if (!(payload instanceof Uint8Array)) continue;
      bytes.set(payload, at);
      at += payload.length;
    }
    return { sizes: sizes.finish(), side, bytes };
  }
}

/** A pack from the database. */
export class ValuePack {
  readonly #bytes: Uint8Array;
  /** The beginning of each value, and the end of the last. */
  readonly #offsets: Uint32Array | readonly number[];
  readonly #sides: ReadonlyMap<number, Side> | undefined;

  constructor(count: number, { sizes, side, bytes }: PackColumns) {
    this.#bytes = bytes;
    this.#offsets = sizes === null ? [0, bytes.length] : offsetsOf(count, sizes);
    if (side !== null) this.#sides = new Map((JSON.parse(side) as Side[]).map((one) => [one[0], one]));
  }

  /** The value at a position; its bytes are a view into the pack, which the view keeps alive. */
  value(position: number): PackedValue {
    return this.#value(position, this.#bytes, this.#offsets[position]!);
  }

  /** Bytes of all values, as far as they are in the pack. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** Bytes of the value at a position, as far as they are in the pack. */
  size(position: number): number {
    return this.#offsets[position + 1]! - this.#offsets[position]!;
  }

  /**
   * The values at some positions, for a caller that keeps them for long: views when they are a quarter of the pack or more,
   * otherwise views of a copy of these values alone. Memory is therefore at most four times the size of the values.
   */
  values(positions: readonly number[]): PackedValue[] {
    let bytes = 0;
    for (const position of positions) bytes += this.size(position);
    if (bytes * 4 >= this.#bytes.length) return positions.map((position) => this.value(position));
    const copy = new Uint8Array(bytes);
    let at = 0;
    return positions.map((position) => {
      const start = at;
      const from = this.#offsets[position]!;
      copy.set(this.#bytes.subarray(from, this.#offsets[position + 1]), at);
      at += this.size(position);
      return this.#value(position, copy, start);
    });
  }

  #value(position: number, bytes: Uint8Array, start: number): PackedValue {
    const side = this.#sides?.get(position);
    const payload =
      side && side[1] !== null
        ? readName(side[1])
        : new Uint8Array(bytes.buffer, bytes.byteOffset + start, this.size(position));
    return { payload, refs: side ? readRefs(side[2]) : noRefs };
  }
}

function offsetsOf(count: number, sizes: Uint8Array): Uint32Array {
  const offsets = new Uint32Array(count + 1);
  const reader = new VarintReader(sizes);
  for (let at = 0, end = 0; at < count; at++) offsets[at + 1] = end += reader.unsigned();
  return offsets;
}

/** Bytes in the pack itself. */
function sizeOf(payload: Payload): number {
  return payload instanceof Uint8Array ? payload.length : 0;
}
