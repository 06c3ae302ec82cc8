import { DataReference, type BlobName } from "../data-reference.ts";
import { encodeValue } from "./codec.ts";
import type { Payload } from "./task.ts";
import { extensions } from "./value-forms.ts";

/** Head of a MessagePack array of up to 65,535 elements, of any number, so that the size of the head is known at the start. */
const arrayHead = 0xdc;

/** Makes the input that is the array of some outputs, from their encoded bytes. */
export class GroupInput {
  readonly #parts: Uint8Array[];
  /** Bytes of the input. */
  size = 3;

  /** @throws RangeError for more than 65,535 outputs */
  constructor(count: number) {
    if (count > 0xffff) throw new RangeError(`An input of ${count} outputs; at most 65,535 are possible.`);
    this.#parts = [Uint8Array.of(arrayHead, count >> 8, count & 0xff)];
  }

  /** Adds an output. One in a blob is named. */
  add(output: Payload): void {
    const part = output instanceof Uint8Array ? output : heldValue(output);
    this.size += part.length;
    this.#parts.push(part);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** The extension that stands for the value in a blob: that of a data reference, with another type. */
function heldValue({ sha256, size }: BlobName): Uint8Array {
  const reference = encodeValue(new DataReference(sha256, size));
  reference[2] = extensions.held;
  return reference;
}
