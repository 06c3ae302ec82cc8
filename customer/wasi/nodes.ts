import { CallError, fileType } from "./abi.ts";
import { LazyContent } from "./lazy-content.ts";

/** Room that the files of a program may still take. */
export interface Space {
  readonly left: number;
  /** @throws CallError nospc */
  take(bytes: number): void;
  give(bytes: number): void;
}

interface Times {
  accessed: bigint;
  modified: bigint;
}

abstract class NodeBase {
  readonly inode: bigint;
  /** Names of the node. */
  links = 1;
  /** Descriptors of the node. */
  opens = 0;
  readonly times: Times;

  constructor(inode: bigint, now: bigint) {
    this.inode = inode;
    this.times = { accessed: now, modified: now };
  }
}

/** A regular file in memory. */
export class FileNode extends NodeBase {
  readonly type = fileType.regularFile;
  readonly #space: Space;
  /** The content in front, then room to grow. */
  #bytes: Uint8Array;
  #size: number;
  /** Whether other tasks read the same bytes, which are copied before the first change. */
  #isShared: boolean;
  /** The content as long as parts of it may be missing in `#bytes`. */
  #lazy: LazyContent | undefined;

  constructor(
    inode: bigint,
    now: bigint,
    space: Space,
    content: Uint8Array | LazyContent = new Uint8Array(0),
    isShared = false,
  ) {
    super(inode, now);
    this.#space = space;
    this.#lazy = content instanceof LazyContent ? content : undefined;
    this.#bytes = content instanceof LazyContent ? content.bytes : content;
    this.#size = this.#bytes.length;
    this.#isShared = isShared;
    space.take(this.#size);
  }

  get size(): number {
    return this.#size;
  }

  /** The whole content. @throws Missing */
  content(): Uint8Array {
    this.#lazy?.need(0, this.#size);
    this.#lazy = undefined;
    return this.#bytes.subarray(0, this.#size);
  }

  /** @throws Missing */
  read(target: Uint8Array, position: number): number {
    if (position >= this.#size) return 0;
    const end = Math.min(this.#size, position + target.length);
    this.#lazy?.need(position, end);
    const part = this.#bytes.subarray(position, end);
    target.set(part);
    return part.length;
  }

  /** @throws Missing */
  write(source: Uint8Array, position: number): void {
    this.#reserve(position + source.length);
    this.#bytes.set(source, position);
    if (position + source.length > this.#size) this.#size = position + source.length;
  }

  /** @throws Missing */
  resize(size: number): void {
    if (size === 0) {
      this.release();
      return;
    }
    this.#reserve(size);
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  #reserve(size: number): void {
    if (!Number.isSafeInteger(size)) throw new CallError("fbig");
    if (this.#lazy) this.content();
    const { length } = this.#bytes;
    if (size <= length && !this.#isShared) return;
    // Doubling keeps the time for a file that is written in small pieces proportional to its size. Near the limit the room that is left is
    // halved instead, so that other files can still grow.
    const wanted = Math.min(Math.max(2 * length, 1024), length + Math.floor(this.#space.left / 2));
    const capacity = size <= length ? length : Math.max(size, wanted);
    this.#space.take(capacity - length);
    const bytes = new Uint8Array(capacity);
    bytes.set(this.content());
    this.#bytes = bytes;
    this.#isShared = false;
  }

  /** Gives the file's room back: it is empty, or neither a name nor a descriptor of it is left. */
  release(): void {
    this.#space.give(this.#bytes.length);
    this.#lazy = undefined;
    this.#isShared = false;
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
  }
}

export class SymlinkNode extends NodeBase {
  readonly type = fileType.symbolicLink;
  readonly target: string;
  readonly size: number;

  constructor(inode: bigint, now: bigint, target: string) {
    super(inode, now);
    this.target = target;
    this.size = new TextEncoder().encode(target).length;
  }
}

export class DirectoryNode extends NodeBase {
  readonly type = fileType.directory;
  readonly entries = new Map<string, FileSystemNode>();
  readonly size = 0;
}

export type FileSystemNode = FileNode | DirectoryNode | SymlinkNode;
