import { CallError } from "./abi.ts";
import type { LazyContent } from "./lazy-content.ts";
import { DirectoryNode, FileNode, SymlinkNode, type FileSystemNode, type Space } from "./nodes.ts";

/** Names of one file system; each takes memory of its own that its content does not count. */
const mostNodes = 100_000;
const mostSymlinks = 40;
const longestName = 255;
const longestPath = 4096;

/** A place in the tree: a name of a directory, and the node that has this name, if any. */
export interface Place {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: FileSystemNode | undefined;
  /** Whether the path ends with a slash, so that it can only name a directory. */
  readonly isDirectoryPath: boolean;
}

/** The node of a place. @throws CallError noent */
export function nodeOf({ node }: Place): FileSystemNode {
  if (!node) throw new CallError("noent");
  return node;
}

/** A tree of files in memory. Paths are relative to a directory, and never lead out of it. */
export class FileSystem {
  readonly root: DirectoryNode;
  readonly #space: Space;
  readonly #now: () => bigint;
  #inodes = 0n;
  #count = 0;

  constructor(space: Space, now: () => bigint) {
    this.#space = space;
    this.#now = now;
    this.root = this.makeDirectory();
  }

  makeDirectory(): DirectoryNode {
    return new DirectoryNode(this.#nextInode(), this.#now());
  }

  makeFile(content?: Uint8Array | LazyContent, isShared?: boolean): FileNode {
    return new FileNode(this.#nextInode(), this.#now(), this.#space, content, isShared);
  }

  makeSymlink(target: string): SymlinkNode {
    return new SymlinkNode(this.#nextInode(), this.#now(), target);
  }

  #nextInode(): bigint {
    if (++this.#count > mostNodes) throw new CallError("nospc");
    return ++this.#inodes;
  }

  /** Puts a file at a path, with the directories on the way. */
  put(path: string, content: Uint8Array | LazyContent, isShared: boolean): void {
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    const last = names.pop();
    if (last === undefined || last === ".." || names.includes("..")) throw new CallError("notcapable");
    let directory = this.root;
    for (const name of names) {
      const found = directory.entries.get(name) ?? this.makeDirectory();
      if (!(found instanceof DirectoryNode)) throw new CallError("notdir");
      directory.entries.set(name, found);
      directory = found;
    }
    directory.entries.set(last, this.makeFile(content, isShared));
  }

  /** All files below a directory with their paths, ordered by name. */
  *files(directory: DirectoryNode = this.root, prefix = ""): Generator<[path: string, file: FileNode]> {
    const names = [...directory.entries.keys()].sort();
    for (const name of names) {
      const node = directory.entries.get(name);
      if (node instanceof FileNode) yield [prefix + name, node];
      if (node instanceof DirectoryNode) yield* this.files(node, `${prefix}${name}/`);
    }
  }

  /**
   * Finds the place of a path. Symbolic links on the way are followed; one at the end is with `follow`, or before a slash.
   * @throws CallError notcapable for a path that leads out of the directory, noent, notdir, loop
   */
  place(base: DirectoryNode, path: string, follow: boolean): Place {
    if (path === "") throw new CallError("noent");
    if (path.length > longestPath) throw new CallError("nametoolong");
    if (path.includes("\0")) throw new CallError("inval");
    if (path.startsWith("/")) throw new CallError("notcapable");
    const isDirectoryPath = /(^|\/)\.{0,2}$/.test(path);
    const above: DirectoryNode[] = [];
    let directory = base;
    const left = path.split("/").reverse();
    let symlinks = 0;
    for (;;) {
      const name = left.pop();
      if (name === undefined) return { directory, name: ".", node: directory, isDirectoryPath: true };
      if (name === "" || name === ".") continue;
      if (name === "..") {
        const parent = above.pop();
        if (!parent) throw new CallError("notcapable");
        directory = parent;
        continue;
      }
      if (name.length > longestName) throw new CallError("nametoolong");
      const node = directory.entries.get(name);
      const isLast = left.every((rest) => rest === "" || rest === ".");
      if (node instanceof SymlinkNode && (!isLast || follow || left.length > 0)) {
        if (++symlinks > mostSymlinks) throw new CallError("loop");
        if (node.target.startsWith("/")) throw new CallError("notcapable");
        left.push(...node.target.split("/").reverse());
        continue;
      }
      if (isLast) {
        if (isDirectoryPath && node && !(node instanceof DirectoryNode)) throw new CallError("notdir");
        return { directory, name, node, isDirectoryPath };
      }
      if (!node) throw new CallError("noent");
      if (!(node instanceof DirectoryNode)) throw new CallError("notdir");
      above.push(directory);
      directory = node;
    }
  }

  /** The node at a path. @throws CallError noent and those of {@link place} */
  find(base: DirectoryNode, path: string, follow: boolean): FileSystemNode {
    return nodeOf(this.place(base, path, follow));
  }

  /** Gives a node a name that nothing has. @throws CallError exist, noent */
  add(place: Place, added: FileSystemNode): void {
    if (place.node) throw new CallError("exist");
    if (place.isDirectoryPath && !(added instanceof DirectoryNode)) throw new CallError("noent");
    this.#link(place, added);
  }

  hardLink(place: Place, node: FileSystemNode): void {
    if (node instanceof DirectoryNode) throw new CallError("perm");
    this.add(place, node);
    node.links++;
  }

  unlinkFile(place: Place): void {
    const node = nodeOf(place);
    if (node instanceof DirectoryNode) throw new CallError("isdir");
    this.#unlink(place);
    node.links--;
    this.forget(node);
  }

  removeDirectory(place: Place): void {
    const node = nodeOf(place);
    if (!(node instanceof DirectoryNode)) throw new CallError("notdir");
    if (place.name === ".") throw new CallError("inval");
    if (node.entries.size > 0) throw new CallError("notempty");
    this.#unlink(place);
    node.links--;
    this.forget(node);
  }

  /** Moves a node to another name. */
  rename(from: Place, to: Place): void {
    const node = nodeOf(from);
    if (from.name === "." || to.name === ".") throw new CallError("inval");
    if (to.node === node) return;
    if (node instanceof DirectoryNode) {
      if (this.#isInside(to.directory, node)) throw new CallError("inval");
      if (to.node && !(to.node instanceof DirectoryNode)) throw new CallError("notdir");
      if (to.node instanceof DirectoryNode) this.removeDirectory(to);
    } else if (to.node instanceof DirectoryNode) {
      throw new CallError("isdir");
    } else if (to.isDirectoryPath) {
      throw new CallError("notdir");
    }
    if (to.node && !(node instanceof DirectoryNode)) this.unlinkFile(to);
    this.#unlink(from);
    this.#link(to, node);
  }

  /** Gives back the room of a node without a name and a descriptor. */
  forget(node: FileSystemNode): void {
    if (node.links > 0 || node.opens > 0) return;
    if (node instanceof FileNode) node.release();
    this.#count--;
  }

  #isInside(directory: DirectoryNode, node: DirectoryNode): boolean {
    if (directory === node) return true;
    return [...node.entries.values()].some(
      (child) => child instanceof DirectoryNode && this.#isInside(directory, child),
    );
  }

  #link({ directory, name }: Place, node: FileSystemNode): void {
    directory.entries.set(name, node);
    directory.times.modified = this.#now();
  }

  #unlink({ directory, name }: Place): void {
    directory.entries.delete(name);
    directory.times.modified = this.#now();
  }
}
