import type { DataReference } from "../../shared/data-reference.ts";

/** A registered symbol, so that this code, a part of kernels, needs no copy of the class. */
const referenceBrand = Symbol.for("manyhands.DataReference");

/** Bytes that travel in the kernel, or as a blob of every task. */
export type Content = { readonly base64: string } | { readonly sha256: string; readonly size: number };

/** Content of a file of a task. */
export type FileValue = Uint8Array | DataReference;

export function fileOf(content: Content): FileValue {
  if ("sha256" in content) return referenceTo(content.sha256, content.size);
  return Uint8Array.from(atob(content.base64), (byte) => byte.charCodeAt(0));
}

/** The values of a task's input by name, and the files that they become. */
export class InputValues {
  readonly #input: unknown;
  readonly files = new Map<string, FileValue>();

  constructor(input: unknown) {
    this.#input = input;
    if (isFile(input)) this.files.set("input", asFile(input));
    else if (isNamed(input))
      for (const [name, value] of Object.entries(input))
        if (isFile(value)) this.files.set(name, asFile(value));
  }

  /**
   * A text with `{name}` replaced by the value of that name: text and numbers stand for themselves, bytes and data references for the path
   * of a file with them. `{name:file}` makes a file of a text as well. `{{` and `}}` are braces.
   * @throws Error when the input has no such value
   */
  expand(template: string): string {
    return template.replaceAll(placeholder, (match, name: string | undefined, asPath: string | undefined) => {
      if (name === undefined) return match.charAt(0);
      if (asPath !== undefined) this.files.set(name, this.bytes(name));
      return this.files.has(name) ? name : this.#text(name);
    });
  }

  /** The content that a value has as a file. */
  bytes(name: string): FileValue {
    return this.files.get(name) ?? new TextEncoder().encode(this.#text(name));
  }

  /** Standard input: the content of the value for which a placeholder alone stands, or an expanded text. */
  stdin(template: string): FileValue {
    const name = /^\{([\w.-]+)(?::file)?\}$/.exec(template)?.[1];
    return name === undefined ? new TextEncoder().encode(this.expand(template)) : this.bytes(name);
  }

  #text(name: string): string {
    const value = this.#value(name);
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
      return String(value);
    throw new Error(
      `{${name}} stands for text, a number, bytes or a data reference of the input; this input has ${kindOf(value)} there.`,
    );
  }

  #value(name: string): unknown {
    const input = this.#input;
    if (!isNamed(input)) return name === "input" ? input : undefined;
    return Object.hasOwn(input, name) ? (input as Record<string, unknown>)[name] : undefined;
  }
}

const placeholder = /\{\{|\}\}|\{([\w.-]+)(:file)?\}/g;

function isFile(value: unknown): value is ArrayBufferView | DataReference {
  return ArrayBuffer.isView(value) || isReference(value);
}

export function isReference(value: unknown): value is DataReference {
  return typeof value === "object" && value !== null && referenceBrand in value;
}

/** A reference for `ctx.data`. */
export function referenceTo(
  sha256: string,
  size: number,
  range?: readonly [start: number, end: number],
): DataReference {
  const length = range ? range[1] - range[0] : size;
  return { sha256, size, range, length, [referenceBrand]: true } as unknown as DataReference;
}

function asFile(value: ArrayBufferView | DataReference): FileValue {
  if (isReference(value) || value instanceof Uint8Array) return value;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function isNamed(value: unknown): value is object {
  return typeof value === "object" && value !== null && !isFile(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
}
