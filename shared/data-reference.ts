import * as v from "valibot";
import { sha256Schema, type Sha256 } from "./ids.ts";
import { limits } from "./limits.ts";

// A registered symbol instead of `instanceof`: a kernel's bundle and the runner each have a copy of this module.
const brand = Symbol.for("manyhands.DataReference");

/**
 * Stands for a blob, or a slice of one, inside an input or output. Immutable; equal content has an equal name. `range` is
 * `[start, end)` in bytes of the blob; a reference without a range means the whole blob.
 */
export class DataReference {
  readonly sha256: Sha256;
  /** Size of the whole blob in bytes. */
  readonly size: number;
  readonly range: readonly [start: number, end: number] | undefined;

  constructor(sha256: Sha256, size: number, range?: readonly [start: number, end: number]) {
    this.sha256 = sha256;
    this.size = size;
    this.range = range;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Length in bytes of the range, or of the whole blob. */
  get length(): number {
    return this.range ? this.range[1] - this.range[0] : this.size;
  }

  /**
   * A reference to a part of this reference; offsets are relative to this reference.
   * @throws RangeError when the part is not inside this reference
   */
  slice(start: number, end: number = this.length): DataReference {
    if (!(
      Number.isInteger(start) &&
      Number.isInteger(end) &&
      0 <= start &&
      start <= end &&
      end <= this.length
    ))
      throw new RangeError(`slice(${start}, ${end}) is not inside the ${this.length} bytes of the reference`);
    const base = this.range?.[0] ?? 0;
    return new DataReference(this.sha256, this.size, [base + start, base + end]);
  }

  toJSON(): DataReferenceShape {
    const { sha256, size, range } = this;
    return range ? { sha256, size, range: [...range] } : { sha256, size };
  }

  /** Whether a value is a data reference of any copy of this module. */
  static is(value: unknown): value is DataReference {
    return typeof value === "object" && value !== null && brand in value;
  }

  /** Makes a reference from its plain shape. */
  static from(shape: DataReferenceShape): DataReference {
    return new DataReference(shape.sha256, shape.size, shape.range);
  }
}

const byteCount = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(limits.blobBytes));

/** The plain shape of a data reference, as in JSON. */
export const dataReferenceSchema = v.pipe(
  v.strictObject({
    sha256: sha256Schema,
    size: byteCount,
    range: v.optional(v.tuple([byteCount, byteCount])),
  }),
  v.check(
    ({ size, range }) => !range || (range[0] <= range[1] && range[1] <= size),
    "expected a range [start, end) inside the blob",
  ),
);
export type DataReferenceShape = v.InferOutput<typeof dataReferenceSchema>;

/**
 * Checks the shape by hand, for values in MessagePack: every sandbox decodes those, and a schema library would make the sandbox
 * page a fifth larger.
 */
export function isDataReferenceShape(shape: {
  sha256: unknown;
  size: unknown;
  range?: readonly unknown[] | undefined;
}): shape is DataReferenceShape {
  const { sha256, size, range } = shape;
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return false;
  if (!isByteCount(size)) return false;
  if (range === undefined) return true;
  const [start, end] = range;
  return range.length === 2 && isByteCount(start) && isByteCount(end) && start <= end && end <= size;
}

function isByteCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= limits.blobBytes;
}

/** Name and size of a blob. */
export const blobNameSchema = v.strictObject({ sha256: sha256Schema, size: byteCount });
export type BlobName = v.InferOutput<typeof blobNameSchema>;
