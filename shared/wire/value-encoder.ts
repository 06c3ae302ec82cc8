import { DataReference, isDataReferenceShape, type BlobName } from "../data-reference.ts";
import { messagePackBounds } from "./messagepack-walk.ts";
import { extensions, numericKinds, type NumericKind } from "./value-forms.ts";
import { refusalOf } from "./value-refusal.ts";

// A kernel shares this realm and may replace globals: these references are taken before any kernel runs.
const { keys: keysOf, getPrototypeOf, getOwnPropertySymbols, hasOwn, prototype: objectPrototype } = Object;
const { isArray, prototype: arrayPrototype } = Array;
const { isSafeInteger, isNaN } = Number;
/** The bits of the canonical NaN. Engines may write a NaN with other bits. */
const theNaN = 0x7ff8n << 48n;
const isView = ArrayBuffer.isView.bind(ArrayBuffer);
// oxlint-disable-next-line typescript/unbound-method -- each call binds its own object
const isEnumerable = Function.prototype.call.bind(objectPrototype.propertyIsEnumerable) as (
  object: object,
  key: PropertyKey,
) => boolean;
/** The kind of a typed array of any realm or subclass: `Float32Array`. */
const kindOf = Function.prototype.call.bind(
  // oxlint-disable-next-line typescript/unbound-method -- the same
  Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!,
) as (view: ArrayBufferView) => NumericKind | "Uint8Array" | undefined;
const encoder = new TextEncoder();
const writeText = encoder.encodeInto.bind(encoder);
const Bytes = Uint8Array;

const { depth: maxDepth } = messagePackBounds.value;
const firstCapacity = 4096;
/** A larger buffer is not kept for the next value: longer encodings are their caller's. */
export const keptBytes = 1024 * 1024;
/** The platform's encoder takes 0.1 µs to begin with, so shorter text is written character by character. */
const shortText = 24;
const bytesPerUnit = 3;
const longestHead = 9;

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly refs: readonly BlobName[];
}

/** A part of a value that is no value. Its place is completed while the containers around it are left. */
export class Unfit extends Error {
  place = "";
}

/** Writes values as MessagePack into one buffer; each value overwrites the one before. */
export class ValueEncoder {
  readonly #omitUndefined: boolean;
  readonly #oneNaN: boolean;
  #bytes = new Bytes(firstCapacity);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #references: DataReference[] = [];
  #busy = false;
  /** Views of the buffer behind a head of 1 to 5 bytes, where a lone text begins: a new view costs more than a write. */
  #textRooms: Uint8Array[] = [];

  /**
   * @param options - `omitUndefined`: undefined properties are left out, as messages need it; `oneNaN`: every NaN of typed arrays
   *   has the same bits (those of numbers have in any case)
   */
  constructor({ omitUndefined = false, oneNaN = false } = {}) {
    this.#omitUndefined = omitUndefined;
    this.#oneNaN = oneNaN;
  }

  /**
   * The bytes are good until the next call, more than {@link keptBytes} for ever. Each blob is named once, in order of appearance.
   * @throws Unfit
   */
  encode(value: unknown): Encoded {
    // A getter of the value may encode another value, as `ctx.checkpoint` does.
    if (this.#busy)
      return new ValueEncoder({ omitUndefined: this.#omitUndefined, oneNaN: this.#oneNaN }).encode(value);
    this.#busy = true;
    this.#at = 0;
    try {
      this.#write(value, 0);
      const bytes = this.#bytes.subarray(0, this.#at);
      if (this.#bytes.length > keptBytes) this.#use(new Bytes(firstCapacity));
      return { bytes, refs: this.#references.length === 0 ? none : this.#takeReferences() };
    } finally {
      this.#busy = false;
      if (this.#references.length > 0) this.#references = [];
    }
  }

  #takeReferences(): BlobName[] {
    const unique = new Map(this.#references.map(({ sha256, size }) => [sha256, { sha256, size }]));
    return [...unique.values()];
  }

  #write(value: unknown, depth: number): void {
    if (this.#at + longestHead > this.#bytes.length) this.#grow(longestHead);
    switch (typeof value) {
      case "number":
        return this.#number(value);
      case "string":
        return this.#text(value);
      case "boolean":
        this.#bytes[this.#at++] = value ? 0xc3 : 0xc2;
        return;
      case "undefined":
        return this.#extension(extensions.language, Bytes.of(0));
      case "object":
        if (value !== null) return this.#object(value, depth);
        this.#bytes[this.#at++] = 0xc0;
        return;
      default:
        throw new Unfit(refusalOf(value));
    }
  }

  #object(value: object, depth: number): void {
    const prototype: unknown = getPrototypeOf(value);
    if (prototype === objectPrototype) return this.#map(value as Record<string, unknown>, depth);
    if (isArray(value) && isPlainArray(prototype)) return this.#array(value, depth);
    if (isView(value)) return this.#typedArray(value);
    if (DataReference.is(value)) return this.#reference(value);
    // A plain object of another realm (an iframe, a vm) inherits from that realm's Object.prototype, whose own prototype is
    // null.
    if (prototype === null || (typeof prototype === "object" && getPrototypeOf(prototype) === null))
      if (!isArray(value)) return this.#map(value as Record<string, unknown>, depth);
    throw new Unfit(refusalOf(value));
  }

  #array(array: readonly unknown[], depth: number): void {
    const { length } = array;
    refuseDepth(depth);
    this.#head(length, 0x90, 16, 0xdc);
    let i = 0;
    try {
      for (; i < length; i++) {
        const item = array[i];
        if (item === undefined && !hasOwn(array, i))
          throw new Unfit("a hole of an array is not a value (fill it with null or undefined)");
        this.#write(item, depth + 1);
      }
    } catch (error) {
      throw placed(error, `[${i}]`);
    }
    const names = keysOf(array);
    if (names.length !== length)
      throw new Unfit(
        `an array with the property ${JSON.stringify(names.at(-1))} is not a value (an object is)`,
      );
    refuseSymbols(array);
  }

  #map(map: Readonly<Record<string, unknown>>, depth: number): void {
    const names = this.#namesOf(map);
    refuseDepth(depth);
    refuseSymbols(map);
    this.#head(names.length, 0x80, 16, 0xde);
    let name = "";
    try {
      for (name of names) {
        if (!this.#wellFormedText(name))
          throw new Unfit("a key with half a surrogate pair is not text (text with one may be a value)");
        this.#write(map[name], depth + 1);
      }
    } catch (error) {
      throw placed(error, `.${name}`);
    }
  }

  #namesOf(map: Readonly<Record<string, unknown>>): string[] {
    const names = keysOf(map);
    if (this.#omitUndefined)
      for (const name of names)
        if (map[name] === undefined) return names.filter((each) => map[each] !== undefined);
    return names;
  }

  #number(value: number): void {
    if (!isSafeInteger(value) || (value === 0 && 1 / value < 0)) {
      this.#bytes[this.#at] = 0xcb;
      this.#view.setFloat64(this.#at + 1, value);
      if (isNaN(value)) this.#view.setBigUint64(this.#at + 1, theNaN);
      this.#at += 9;
    } else if (value >= 0) this.#positive(value);
    else this.#negative(value);
  }

  #positive(value: number): void {
    const bytes = this.#bytes;
    if (value < 0x80) bytes[this.#at++] = value;
    else if (value < 0x100) {
      bytes[this.#at++] = 0xcc;
      bytes[this.#at++] = value;
    } else if (value < 0x10000) {
      bytes[this.#at] = 0xcd;
      this.#view.setUint16(this.#at + 1, value);
      this.#at += 3;
    } else if (value < 2 ** 32) {
      bytes[this.#at] = 0xce;
      this.#view.setUint32(this.#at + 1, value);
      this.#at += 5;
    } else this.#long(0xcf, value);
  }

  #negative(value: number): void {
    const bytes = this.#bytes;
    if (value >= -0x20) bytes[this.#at++] = value + 0x100;
    else if (value >= -0x80) {
      bytes[this.#at++] = 0xd0;
      bytes[this.#at++] = value + 0x100;
    } else if (value >= -0x8000) {
      bytes[this.#at] = 0xd1;
      this.#view.setInt16(this.#at + 1, value);
      this.#at += 3;
    } else if (value >= -(2 ** 31)) {
      bytes[this.#at] = 0xd2;
      this.#view.setInt32(this.#at + 1, value);
      this.#at += 5;
    } else this.#long(0xd3, value);
  }

  #long(tag: number, value: number): void {
    this.#bytes[this.#at] = tag;
    this.#view.setInt32(this.#at + 1, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#at + 5, value);
    this.#at += 9;
  }

  #text(text: string): void {
    if (this.#wellFormedText(text)) return;
    const units = new Bytes(text.length * 2);
    const view = new DataView(units.buffer);
    for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
    this.#extension(extensions.brokenText, units);
  }

  /** Writes text unless UTF-8 cannot hold it. @returns whether the text was written */
  #wellFormedText(text: string): boolean {
    const { length } = text;
    if (length <= shortText && this.#ascii(text)) return true;
    if (!text.isWellFormed()) return false;
    const room = length * bytesPerUnit;
    if (this.#at + longestHead + room > this.#bytes.length) this.#grow(longestHead + room);
    // Text has most often as many bytes as characters; if not, the head needs another width, and the text is moved.
    const guess = textHead(length);
    const { written } = writeText(text, this.#roomBehind(guess));
    const head = textHead(written);
    if (head !== guess) this.#bytes.copyWithin(this.#at + head, this.#at + guess, this.#at + guess + written);
    this.#textHead(written);
    this.#at += written;
    return true;
  }

  #roomBehind(head: number): Uint8Array {
    if (this.#at > 0) return this.#bytes.subarray(this.#at + head);
    return (this.#textRooms[head] ??= this.#bytes.subarray(head));
  }

  /** Writes text of ASCII characters only. @returns whether the text was written */
  #ascii(text: string): boolean {
    const { length } = text;
    if (this.#at + 1 + length > this.#bytes.length) this.#grow(1 + length);
    const bytes = this.#bytes;
    const start = this.#at + 1;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[start + i] = unit;
    }
    bytes[this.#at] = 0xa0 | length;
    this.#at = start + length;
    return true;
  }

  #textHead(size: number): void {
    if (size < 32) this.#bytes[this.#at++] = 0xa0 | size;
    else if (size < 256) this.#sized(0xd9, size, 1);
    else if (size < 2 ** 16) this.#sized(0xda, size, 2);
    else this.#sized(0xdb, size, 4);
  }

  #typedArray(view: ArrayBufferView): void {
    const kind = kindOf(view);
    if (kind === undefined) throw new Unfit(refusalOf(view));
    const { byteLength } = view;
    if (byteLength === 0 && isDetached(view))
      throw new Unfit(`a ${kind} whose buffer was transferred is empty`);
    const content = new Bytes(view.buffer, view.byteOffset, byteLength);
    if (kind !== "Uint8Array") {
      const place = numericKinds.indexOf(kind);
      if (place < 0) throw new Unfit(refusalOf(view));
      this.#extension(extensions.numericArray, content, place);
      if (this.#oneNaN && kind[0] === "F") this.#unifyNaNs(view as Float64Array);
      return;
    }
    this.#sizedHead(0xc4, byteLength);
    this.#append(content);
  }

  /** Writes the canonical NaN of WebAssembly (quiet, no payload) over every NaN of the array that was just written. */
  #unifyNaNs(floats: Float16Array | Float32Array | Float64Array): void {
    const { byteLength, BYTES_PER_ELEMENT: size } = floats;
    const start = this.#at - byteLength;
    const head = size === 8 ? 0x7ff8 : size === 4 ? 0x7fc0 : 0x7e00;
    for (let i = 0; i * size < byteLength; i++) {
      if (!isNaN(floats[i])) continue;
      const end = start + (i + 1) * size;
      this.#bytes.fill(0, end - size, end);
      this.#view.setUint16(end - 2, head, true);
    }
  }

  #reference(reference: DataReference): void {
    const { sha256, size, range } = reference;
    if (!isDataReferenceShape(range ? { sha256, size, range } : { sha256, size }))
      throw new Unfit("a data reference that names no blob is not a value");
    this.#references.push(reference);
    referenceEncoder ??= new ValueEncoder();
    this.#extension(extensions.reference, referenceEncoder.encode([sha256, size, ...(range ?? [])]).bytes);
  }

  /** An extension; `first` is a byte before the content. */
  #extension(type: number, content: Uint8Array, first?: number): void {
    const size = content.length + (first === undefined ? 0 : 1);
    const fixed = [1, 2, 4, 8, 16].indexOf(size);
    if (this.#at + longestHead + size > this.#bytes.length) this.#grow(longestHead + size);
    if (fixed >= 0) this.#bytes[this.#at++] = 0xd4 + fixed;
    else this.#sizedHead(0xc7, size);
    this.#bytes[this.#at++] = type;
    if (first !== undefined) this.#bytes[this.#at++] = first;
    this.#append(content);
  }

  #append(content: Uint8Array): void {
    if (this.#at + content.length > this.#bytes.length) this.#grow(content.length);
    this.#bytes.set(content, this.#at);
    this.#at += content.length;
  }

  /** A head whose length field has one, two or four bytes; the tags of the three are consecutive. */
  #sizedHead(tag: number, size: number): void {
    if (size >= 2 ** 32) throw new Unfit(`${size} bytes in one piece are too many (put them as a blob)`);
    if (size < 2 ** 8) this.#sized(tag, size, 1);
    else if (size < 2 ** 16) this.#sized(tag + 1, size, 2);
    else this.#sized(tag + 2, size, 4);
  }

  /** The head of a container: the count is in the tag, or in a length field of two or four bytes. */
  #head(count: number, fixed: number, below: number, tag: number): void {
    if (count < below) this.#bytes[this.#at++] = fixed | count;
    else if (count < 2 ** 16) this.#sized(tag, count, 2);
    else this.#sized(tag + 1, count, 4);
  }

  #sized(tag: number, size: number, width: 1 | 2 | 4): void {
    const at = this.#at;
    this.#bytes[at] = tag;
    if (width === 1) this.#bytes[at + 1] = size;
    else if (width === 2) this.#view.setUint16(at + 1, size);
    else this.#view.setUint32(at + 1, size);
    this.#at = at + 1 + width;
  }

  #grow(room: number): void {
    const grown = new Bytes(Math.max(this.#at + room, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#use(grown);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#textRooms = [];
  }
}

/** Encodes the content of a reference's extension. */
let referenceEncoder: ValueEncoder | undefined;
const none: readonly BlobName[] = [];

function textHead(size: number): number {
  return size < 32 ? 1 : size < 256 ? 2 : size < 2 ** 16 ? 3 : 5;
}

/** Also for arrays of another realm: that realm's Array.prototype is an array itself, but the prototype of a subclass is not. */
function isPlainArray(prototype: unknown): boolean {
  return prototype === arrayPrototype || isArray(prototype);
}

function isDetached(view: ArrayBufferView): boolean {
  return (view.buffer as { detached?: boolean }).detached === true;
}

function refuseDepth(depth: number): void {
  if (depth >= maxDepth)
    throw new Unfit(
      `a value nested deeper than ${maxDepth} levels, or one that holds itself, cannot be written`,
    );
}

/** MessagePack cannot hold a property under a symbol, so its value is refused instead of losing it in silence. */
function refuseSymbols(object: object): void {
  for (const symbol of getOwnPropertySymbols(object))
    if (isEnumerable(object, symbol))
      throw new Unfit(`a key that is a symbol (${String(symbol)}) is not text`);
}

/** The error, with another step of the path to the unfit part. */
function placed(error: unknown, step: string): Unfit {
  const unfit = error instanceof Unfit ? error : new Unfit(`reading it threw ${describe(error)}`);
  unfit.place = step + unfit.place;
  return unfit;
}

function describe(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "something that cannot be described";
  }
}
