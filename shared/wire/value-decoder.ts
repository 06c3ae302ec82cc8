import { DataReference, type BlobName } from "../data-reference.ts";
import { checkMessagePack, messagePackBounds } from "./messagepack-walk.ts";
import { plainBytes } from "./plain-bytes.ts";
import {
  extensions,
  isInputExtension,
  isValueExtension,
  makeNumericArray,
  readReference,
} from "./value-forms.ts";

// A kernel shares this realm and may replace globals: these references are taken before any kernel runs.
const { fromCharCode } = String;
const { defineProperty } = Object;
// A string may begin with U+FEFF, which the default decoder would drop.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const readText = decoder.decode.bind(decoder);
// oxlint-disable-next-line typescript/unbound-method -- each call binds its own object
const copyOf = Function.prototype.call.bind(Uint8Array.prototype.slice) as (
  bytes: Uint8Array,
  from: number,
  to: number,
) => Uint8Array<ArrayBuffer>;
const Bytes = Uint8Array;

/** A platform's decoder takes 0.1 µs to begin with, so shorter text is made from its characters. */
const shortText = 12;
/** Keys up to this length are decoded once and looked up afterwards. */
const longestKey = 32;

const nothing = new Bytes();

interface KnownKey {
  readonly bytes: Uint8Array;
  readonly text: string;
}
/** Decoded keys by a hash of their bytes. */
const knownKeys: (KnownKey | undefined)[] = Array<undefined>(256).fill(undefined);

/**
 * Checks that bytes are a value that {@link decode} reads, without decoding them.
 * @throws Error naming the fault
 */
export function checkEncodedValue(bytes: Uint8Array): void {
  checkMessagePack(bytes, messagePackBounds.value, isValueExtension);
}

/** The value of encoded bytes, with byte arrays of its own. @throws Error when the bytes are no value */
export function decode(bytes: Uint8Array): unknown {
  checkEncodedValue(bytes);
  return reader.read(plainBytes(bytes));
}

/** Stands in an input for an output that is in a blob. */
export class HeldValue {
  readonly blob: BlobName;

  constructor({ sha256, size }: BlobName) {
    this.blob = { sha256, size };
  }
}

/**
 * As {@link decode}, for an input that may be an array of outputs, among them {@link HeldValue}s.
 * @throws Error when the bytes are no such input
 */
export function decodeWithHeld(bytes: Uint8Array): unknown {
  checkMessagePack(bytes, messagePackBounds.input, isInputExtension);
  return reader.read(plainBytes(bytes));
}

/** Reads checked bytes: every announced length is there. */
export class ValueReader {
  readonly #copyBytes: boolean;
  #bytes: Uint8Array = nothing;
  #view: DataView | undefined;
  #at = 0;

  /** @param options - `copyBytes`: byte arrays have buffers of their own; else they are views */
  constructor(options: { copyBytes: boolean }) {
    this.#copyBytes = options.copyBytes;
  }

  read(bytes: Uint8Array): unknown {
    this.#bytes = bytes;
    this.#view = undefined;
    this.#at = 0;
    try {
      return this.#value();
    } finally {
      // The bytes may belong to a large buffer, which a reference would keep alive.
      this.#bytes = nothing;
      this.#view = undefined;
    }
  }

  #value(): unknown {
    const tag = this.#bytes[this.#at++]!;
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#map(tag & 0x0f);
    if (tag < 0xa0) return this.#array(tag & 0x0f);
    if (tag < 0xc0) return this.#text(tag & 0x1f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#byteArray(this.#uint(2 ** (tag - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(2 ** (tag - 0xc7)));
      case 0xca:
        return this.#data(4).getFloat32(this.#at - 4);
      case 0xcb:
        return this.#data(8).getFloat64(this.#at - 8);
      case 0xcc:
        return this.#bytes[this.#at++];
      case 0xcd:
        return this.#bytes[this.#at++]! * 256 + this.#bytes[this.#at++]!;
      case 0xce:
        return this.#data(4).getUint32(this.#at - 4);
      case 0xcf:
        return this.#uint(4) * 2 ** 32 + this.#uint(4);
      case 0xd0:
        return this.#data(1).getInt8(this.#at - 1);
      case 0xd1:
        return this.#data(2).getInt16(this.#at - 2);
      case 0xd2:
        return this.#data(4).getInt32(this.#at - 4);
      case 0xd3:
        return this.#data(4).getInt32(this.#at - 4) * 2 ** 32 + this.#uint(4);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(2 ** (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 ** (tag - 0xdb)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 ** (tag - 0xdd)));
      default:
        // 0xd4 … 0xd8: an extension of 1, 2, 4, 8 or 16 bytes.
        return this.#extension(2 ** (tag - 0xd4));
    }
  }

  #array(count: number): unknown[] {
    const array: unknown[] = [];
    for (let i = 0; i < count; i++) array.push(this.#value());
    return array;
  }

  #map(count: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key();
      const value = this.#value();
      // An assignment to `__proto__` would change the object's prototype.
      if (key === "__proto__")
        defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
      else map[key] = value;
    }
    return map;
  }

  #key(): string {
    const tag = this.#bytes[this.#at++]!;
    const length = tag < 0xc0 ? tag & 0x1f : this.#uint(2 ** (tag - 0xd9));
    if (length === 0 || length > longestKey) return this.#text(length);
    const bytes = this.#bytes;
    const at = this.#at;
    const hash =
      (length * 31 + bytes[at]! * 7 + bytes[at + (length >> 1)]! * 3 + bytes[at + length - 1]!) & 255;
    const known = knownKeys[hash];
    if (known && isSame(known.bytes, bytes, at, length)) {
      this.#at += length;
      return known.text;
    }
    const text = this.#text(length);
    knownKeys[hash] = { bytes: copyOf(bytes, at, at + length), text };
    return text;
  }

  #text(length: number): string {
    if (length <= shortText) {
      const text = this.#asciiText(length);
      if (text !== undefined) return text;
    }
    return readText(this.#take(length));
  }

  #asciiText(length: number): string | undefined {
    let text = "";
    for (let at = this.#at; at < this.#at + length; at++) {
      const unit = this.#bytes[at]!;
      if (unit >= 0x80) return undefined;
      text += fromCharCode(unit);
    }
    this.#at += length;
    return text;
  }

  #extension(length: number): unknown {
    const type = this.#bytes[this.#at++]!;
    if (type === extensions.language) {
      this.#at += length;
      return undefined;
    }
    if (type === extensions.reference || type === extensions.held) {
      const shape = readReference(this.#bytes, this.#at, (this.#at += length))!;
      return type === extensions.held ? new HeldValue(shape) : DataReference.from(shape);
    }
    if (type === extensions.brokenText) return this.#brokenText(length / 2);
    const place = this.#bytes[this.#at++]!;
    // A typed array needs an aligned buffer, so its bytes are copied into a new one.
    return makeNumericArray(place, this.#copy(length - 1).buffer);
  }

  #brokenText(units: number): string {
    const data = this.#data(units * 2);
    const parts: string[] = [];
    for (let at = this.#at - units * 2; at < this.#at; at += 2)
      parts.push(fromCharCode(data.getUint16(at, true)));
    return parts.join("");
  }

  #byteArray(length: number): Uint8Array {
    return this.#copyBytes ? this.#copy(length) : this.#take(length);
  }

  /** Consumes the next bytes as a view. */
  #take(length: number): Uint8Array {
    const at = this.#at;
    this.#at += length;
    return new Bytes(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  /** Consumes the next bytes as a copy with a buffer of its own. */
  #copy(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#at;
    this.#at += length;
    return copyOf(this.#bytes, at, at + length);
  }

  #uint(width: number): number {
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#at++]!;
    return value;
  }

  /** Consumes the next `width` bytes; the returned view is of all bytes. */
  #data(width: number): DataView {
    this.#at += width;
    return (this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength));
  }
}

const reader = new ValueReader({ copyBytes: true });

function isSame(key: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (key.length !== length) return false;
  for (let i = 0; i < length; i++) if (key[i] !== bytes[at + i]) return false;
  return true;
}
