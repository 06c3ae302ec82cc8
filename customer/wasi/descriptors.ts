import { CallError, descriptorFlag, directoryRights, fileRights, fileType, right, whence } from "./abi.ts";
import type { DirectoryNode, FileNode, FileSystemNode } from "./nodes.ts";

const mostDescriptors = 4096;

/** Takes what a program writes to standard output or standard error. */
export type Sink = (bytes: Uint8Array) => void;

interface DescriptorBase {
  /** Base rights, and rights that descriptors opened from it can have. */
  rights: bigint;
  inheriting: bigint;
  flags: number;
}

export interface OpenFile extends DescriptorBase {
  readonly kind: "file";
  readonly node: FileNode;
  position: number;
}

export interface OpenDirectory extends DescriptorBase {
  readonly kind: "directory";
  readonly node: DirectoryNode;
  /** Name under which the program finds a directory that it did not open itself. */
  readonly preopened?: string;
  /** Names at the last reading from the start; the cookies of later readings are places in it. */
  listing?: readonly string[];
}

export interface OutputStream extends DescriptorBase {
  readonly kind: "stream";
  readonly write: Sink;
}

export type Descriptor = OpenFile | OpenDirectory | OutputStream;

export function openFile(node: FileNode, rights = fileRights, flags = 0): OpenFile {
  return { kind: "file", node, position: 0, rights: rights & fileRights, inheriting: 0n, flags };
}

export function openDirectory(
  node: DirectoryNode,
  { rights = directoryRights, inheriting = directoryRights | fileRights, preopened = "" } = {},
): OpenDirectory {
  const base = { rights: rights & directoryRights, inheriting, flags: 0 };
  return { kind: "directory", node, ...base, ...(preopened !== "" && { preopened }) };
}

export function outputStream(write: Sink): OutputStream {
  return { kind: "stream", write, rights: right.write, inheriting: 0n, flags: descriptorFlag.append };
}

export function typeOf(descriptor: Descriptor): number {
  return descriptor.kind === "stream" ? fileType.characterDevice : descriptor.node.type;
}

/** The open descriptors of a program by their numbers. */
export class Descriptors {
  readonly #open: (Descriptor | undefined)[] = [];
  /** Called with the node of a descriptor that was closed. */
  readonly #closed: (node: FileSystemNode) => void;

  constructor(closed: (node: FileSystemNode) => void) {
    this.#closed = closed;
  }

  /** Adds a descriptor under the lowest free number. */
  add(descriptor: Descriptor): number {
    const free = this.#open.indexOf(undefined);
    const number = free === -1 ? this.#open.length : free;
    if (number >= mostDescriptors) throw new CallError("mfile");
    this.#open[number] = descriptor;
    if (descriptor.kind !== "stream") descriptor.node.opens++;
    return number;
  }

  get(number: number): Descriptor {
    const descriptor = this.#open[number >>> 0];
    if (!descriptor) throw new CallError("badf");
    return descriptor;
  }

  directory(number: number): OpenDirectory {
    const descriptor = this.get(number);
    if (descriptor.kind !== "directory") throw new CallError("notdir");
    return descriptor;
  }

  /** A file, for what directories and streams do not have. */
  file(number: number): OpenFile {
    const descriptor = this.get(number);
    if (descriptor.kind === "stream") throw new CallError("spipe");
    if (descriptor.kind !== "file") throw new CallError("badf");
    return descriptor;
  }

  readable(number: number): OpenFile {
    const descriptor = this.get(number);
    if (descriptor.kind === "directory") throw new CallError("isdir");
    if (descriptor.kind !== "file" || !(descriptor.rights & right.read)) throw new CallError("badf");
    return descriptor;
  }

  writable(number: number): OpenFile | OutputStream {
    const descriptor = this.get(number);
    if (descriptor.kind === "directory") throw new CallError("isdir");
    if (!(descriptor.rights & right.write)) throw new CallError("badf");
    return descriptor;
  }

  close(number: number): void {
    const descriptor = this.get(number);
    this.#open[number >>> 0] = undefined;
    if (descriptor.kind === "stream") return;
    descriptor.node.opens--;
    this.#closed(descriptor.node);
  }

  /** Moves a descriptor to the number of another one, which is closed. */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    this.get(to);
    if (from === to) return;
    this.close(to);
    this.#open[to >>> 0] = moved;
    this.#open[from >>> 0] = undefined;
  }
}

/** The position that a seek leads to. */
export function sought({ node, position }: OpenFile, offset: bigint, from: number): number {
  const starts: Record<number, number> = {
    [whence.set]: 0,
    [whence.current]: position,
    [whence.end]: node.size,
  };
  const start = starts[from];
  if (start === undefined) throw new CallError("inval");
  const target = BigInt(start) + offset;
  if (target < 0n || target > BigInt(Number.MAX_SAFE_INTEGER)) throw new CallError("inval");
  return Number(target);
}
