import { toBase64 } from "../../shared/base64.ts";
import { decodeValue } from "../../shared/wire/codec.ts";
import { headAt, messagePackBounds, type Head } from "../../shared/wire/messagepack-walk.ts";
import { extensions, numericKinds, isNumericLength } from "../../shared/wire/value-forms.ts";
import { keyToJson, valueToJson } from "../../shared/wire/value-json.ts";

/** Longer text and bytes are written piece by piece. */
const wholeBytes = 4096;
const { depth: maxDepth } = messagePackBounds.value;

interface Container {
  readonly isMap: boolean;
  /** Elements still to come; a key and its value are two. */
  left: number;
}

/** Content that is longer than the buffered bytes. */
interface Long {
  left: number;
  /** Bytes that can be written independently. */
  readonly unit: number;
  readonly write: (bytes: Uint8Array, isLast: boolean) => string;
  readonly closing: string;
}

/**
 * Writes the JSON form of an encoded value (as `valueToJson` gives it) while its bytes come: a value of gigabytes takes no more
 * memory than a piece.
 */
export class JsonTranscoder {
  #rest: Uint8Array = new Uint8Array();
  readonly #open: Container[] = [];
  #long: Long | undefined;
  /** Whether the innermost container has an element already. */
  #hasWritten = false;
  #ended = false;

  /** The JSON text that the next bytes of the value complete. @throws Error when the bytes are of no value */
  push(chunk: Uint8Array): string {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const parts: string[] = [];
    let at = 0;
    for (let next = this.#step(bytes, at, parts); next > at; next = this.#step(bytes, at, parts)) at = next;
    this.#rest = bytes.subarray(at);
    return parts.join("");
  }

  /** @throws Error when the value is incomplete */
  end(): void {
    if (!this.#ended || this.#rest.length > 0) throw new Error("the bytes end in the middle of a value");
  }

  /** Writes the item at `at`. @returns the position after it, or `at` when more bytes are needed */
  #step(bytes: Uint8Array, at: number, parts: string[]): number {
    if (this.#long) return this.#writeLong(this.#long, bytes, at, parts);
    if (this.#ended && at < bytes.length) throw new Error("bytes follow behind the value");
    const head = headAt(bytes, at);
    if (!head) return at;
    if (this.#isAtKey() && head.kind !== "text") throw new Error("a key is not text");
    if (head.kind === "array" || head.kind === "map") {
      this.#begin(parts);
      this.#enter(head, parts);
      return head.content;
    }
    if (head.length > wholeBytes) return this.#beginLong(head, bytes, at, parts);
    const end = head.content + head.length + (head.kind === "extension" ? 1 : 0);
    if (end > bytes.length) return at;
    this.#begin(parts);
    const value = decodeValue(bytes.subarray(at, end));
    const isKey = this.#isAtKey();
    parts.push(JSON.stringify(isKey ? keyToJson(value as string) : valueToJson(value)));
    this.#finish(parts);
    return end;
  }

  #isAtKey(): boolean {
    const container = this.#open.at(-1);
    return container?.isMap === true && container.left % 2 === 0;
  }

  /** Writes a comma before every element but the first. */
  #begin(parts: string[]): void {
    const container = this.#open.at(-1);
    if (container && this.#hasWritten && (!container.isMap || container.left % 2 === 0)) parts.push(",");
    this.#hasWritten = true;
  }
  #enter({ kind, length }: Head, parts: string[]): void {
    const isMap = kind === "map";
    parts.push(isMap ? "{" : "[");
    if (length > 0 && this.#open.length >= maxDepth)
      throw new Error(`containers nest deeper than ${maxDepth}`);
    this.#open.push({ isMap, left: isMap ? length * 2 : length });
    this.#hasWritten = false;
    if (length === 0) this.#leave(parts);
  }

  #leave(parts: string[]): void {
    const container = this.#open.pop();
    parts.push(container?.isMap ? "}" : "]");
    this.#hasWritten = true;
    this.#finish(parts);
  }

  /** Counts a written element. */
  #finish(parts: string[]): void {
    const container = this.#open.at(-1);
    if (!container) {
      this.#ended = true;
      return;
    }
    const wasKey = container.isMap && container.left % 2 === 0;
    if (wasKey) parts.push(":");
    if (--container.left === 0) this.#leave(parts);
  }

  #beginLong(head: Head, bytes: Uint8Array, at: number, parts: string[]): number {
    const { kind, content, length } = head;
    // The content must have the extension's type, and the kind of a typed array.
    if (kind === "extension" && content + 2 > bytes.length) return at;
    const form =
      kind === "extension" ? extensionForm(bytes, content, length) : formOf(head, bytes, this.#isAtKey());
    if (!form) return at;
    this.#begin(parts);
    parts.push(form.opening);
    this.#long = form;
    return content + form.skipped;
  }

  #writeLong(long: Long, bytes: Uint8Array, at: number, parts: string[]): number {
    const there = Math.min(long.left, bytes.length - at);
    const isLast = there === long.left;
    const size = isLast ? there : there - (there % long.unit);
    if (size === 0 && !isLast) return at;
    parts.push(long.write(bytes.subarray(at, at + size), isLast));
    long.left -= size;
    if (isLast) {
      parts.push(long.closing);
      this.#long = undefined;
      this.#finish(parts);
    }
    return at + size;
  }
}

interface Form extends Long {
  readonly opening: string;
  /** Bytes between the head and the written content. */
  readonly skipped: number;
}

const base64 = (left: number, skipped: number, opening: string): Form => {
  return { left, unit: 3, skipped, opening, closing: '"}', write: (bytes) => toBase64(bytes) };
};

function formOf({ kind, content, length }: Head, bytes: Uint8Array, isKey: boolean): Form | undefined {
  if (kind === "bytes") return base64(length, 0, '{"$bytes":"');
  const first = bytes[content];
  if (first === undefined) return undefined;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    left: length,
    unit: 1,
    skipped: 0,
    opening: isKey && first === 0x24 ? '"$' : '"',
    closing: '"',
    write: (piece, isLast) => withoutQuotes(decoder.decode(piece, { stream: !isLast })),
  };
}

/** The form of an extension. @throws Error when no value has such an extension */
function extensionForm(bytes: Uint8Array, content: number, length: number): Form {
  const type = bytes[content]!;
  const place = bytes[content + 1]!;
  const kind = numericKinds[place];
  if (type === extensions.numericArray && kind && isNumericLength(place, length - 1))
    return base64(length - 1, 2, `{"$array":"${kind}","base64":"`);
  if (type !== extensions.brokenText || length % 2 > 0) throw new Error("an extension that is no value");
  const write = (piece: Uint8Array): string => {
    const units = Array.from({ length: piece.length / 2 }, (_, i) => piece[2 * i]! + piece[2 * i + 1]! * 256);
    return withoutQuotes(units.map((unit) => String.fromCharCode(unit)).join(""));
  };
  return { left: length, unit: 2, skipped: 1, opening: '"', closing: '"', write };
}

function withoutQuotes(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
