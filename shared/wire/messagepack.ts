import { checkMessagePack, type MessagePackBounds } from "./messagepack-walk.ts";
import { plainBytes } from "./plain-bytes.ts";
import { ValueReader } from "./value-decoder.ts";
import { ValueEncoder } from "./value-encoder.ts";

/** Messages have no extensions: a value inside a message is a byte array, encoded by itself. */
const noExtension = (): boolean => false;

/** Messages, packs and items in MessagePack, by the encoder and the reader of values. Properties that are undefined are left out. */
export class MessagePack {
  readonly #bounds: MessagePackBounds;
  readonly #encoder = new ValueEncoder({ omitUndefined: true });
  readonly #reader = new ValueReader({ copyBytes: false });

  constructor(bounds: MessagePackBounds) {
    this.#bounds = bounds;
  }

  /** The result is a copy that belongs to the caller. */
  encode(value: unknown): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#encoder.encode(value).bytes);
  }

  /**
   * Byte arrays in the result are views into `bytes`.
   * @throws Error when the bytes are not one message, or beyond the bounds
   */
  decode(bytes: Uint8Array): unknown {
    checkMessagePack(bytes, this.#bounds, noExtension);
    return this.#reader.read(plainBytes(bytes));
  }
}
