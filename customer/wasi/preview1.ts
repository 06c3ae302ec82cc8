import {
  absoluteTime,
  CallError,
  clockId,
  descriptorFlag,
  errno,
  eventType,
  fileRights,
  fileType,
  lookupFlag,
  openFlag,
  right,
  timeFlag,
} from "./abi.ts";
import { Clock } from "./clock.ts";
import { openDirectory, openFile, sought, typeOf, type Descriptor, type Descriptors } from "./descriptors.ts";
import type { FileSystem } from "./file-system.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { DirectoryNode, SymlinkNode, type FileNode, type FileSystemNode } from "./nodes.ts";

/** What a running program has. */
export interface Process {
  readonly arguments: readonly Uint8Array[];
  readonly environment: readonly Uint8Array[];
  readonly memory: () => GuestMemory;
  readonly files: FileSystem;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  /** Fills an array with random bytes. */
  readonly randomize: (bytes: Uint8Array) => void;
}

/** Ends a program, wherever it stands. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** An argument of a call: 32 bits, or 64. */
type Call = (...values: never[]) => void;

/** Names of all functions of the interface. */
export type CallName = keyof ReturnType<typeof calls>;

/** The functions of `wasi_snapshot_preview1` as imports of a module: each returns an error number. */
export function preview1(process: Process): Record<CallName, (...values: never[]) => number> {
  const guarded = Object.entries<Call>(calls(process)).map(([name, call]) => [name, guard(call)]);
  return Object.fromEntries(guarded) as Record<CallName, (...values: never[]) => number>;
}

function guard(call: Call): (...values: never[]) => number {
  return (...values) => {
    try {
      call(...values);
      return errno.success;
    } catch (error) {
      if (error instanceof CallError) return error.number;
      // A view refuses an address outside the memory.
      if (error instanceof RangeError) return errno.fault;
      throw error;
    }
  };
}

function calls(process: Process) {
  return {
    ...textCalls("args", () => process.arguments, process),
    ...textCalls("environ", () => process.environment, process),
    ...clockCalls(process),
    ...descriptorCalls(process),
    ...transferCalls(process),
    ...directoryCalls(process),
    ...pathCalls(process),
    ...pollCalls(process),
    random_get(address: number, length: number): void {
      process.randomize(process.memory().bytes(address, length));
    },
    proc_exit(code: number): void {
      throw new Exit(code >>> 0);
    },
    proc_raise(_signal: number): void {
      throw new CallError("notsup");
    },
    sched_yield(): void {},
    sock_accept(number: number): void {
      process.descriptors.get(number);
      throw new CallError("notsock");
    },
    sock_recv(number: number): void {
      process.descriptors.get(number);
      throw new CallError("notsock");
    },
    sock_send(number: number): void {
      process.descriptors.get(number);
      throw new CallError("notsock");
    },
    sock_shutdown(number: number): void {
      process.descriptors.get(number);
      throw new CallError("notsock");
    },
  };
}

/** The calls that tell texts, each with a zero behind it: their number and size, and the texts. */
function textCalls<Name extends "args" | "environ">(
  name: Name,
  texts: () => readonly Uint8Array[],
  { memory }: Process,
) {
  const sizes = (count: number, size: number): void => {
    const { view } = memory();
    view.setUint32(count >>> 0, texts().length, true);
    view.setUint32(
      size >>> 0,
      texts().reduce((sum, text) => sum + text.length + 1, 0),
      true,
    );
  };
  const get = (addresses: number, buffer: number): void => {
    const { view } = memory();
    let at = buffer >>> 0;
    for (const [index, text] of texts().entries()) {
      view.setUint32((addresses >>> 0) + index * 4, at, true);
      memory().bytes(at, text.length).set(text);
      view.setUint8(at + text.length, 0);
      at += text.length + 1;
    }
  };
  return { [`${name}_sizes_get`]: sizes, [`${name}_get`]: get } as Record<
    `${Name}_sizes_get` | `${Name}_get`,
    (first: number, second: number) => void
  >;
}

/** The time of a clock. The processor time is the time since the start. */
function timeOf(clock: Clock, id: number): bigint {
  if (id === clockId.realtime) return clock.now();
  if (id === clockId.monotonic || id === clockId.processCpu || id === clockId.threadCpu)
    return clock.elapsed();
  throw new CallError("inval");
}

function clockCalls({ memory, clock }: Process) {
  return {
    clock_res_get(id: number, result: number): void {
      timeOf(clock, id);
      memory().view.setBigUint64(result >>> 0, Clock.resolutionNs, true);
    },
    clock_time_get(id: number, _precision: bigint, result: number): void {
      memory().view.setBigUint64(result >>> 0, timeOf(clock, id), true);
    },
  };
}

function descriptorCalls({ memory, clock, descriptors }: Process) {
  const synchronize = (number: number): void => void descriptors.get(number);
  return {
    fd_advise(number: number, _offset: bigint, _length: bigint, advice: number): void {
      descriptors.file(number);
      if (advice > 5) throw new CallError("inval");
    },
    fd_allocate(number: number, offset: bigint, length: bigint): void {
      const { node } = descriptors.file(number);
      const end = Number(BigInt.asUintN(64, offset) + BigInt.asUintN(64, length));
      if (end > node.size) node.resize(end);
    },
    fd_close: (number: number): void => descriptors.close(number),
    fd_datasync: synchronize,
    fd_sync: synchronize,
    fd_renumber: (from: number, to: number): void => descriptors.renumber(from, to),
    fd_fdstat_get(number: number, result: number): void {
      const descriptor = descriptors.get(number);
      const { view } = memory();
      const at = result >>> 0;
      view.setBigUint64(at, 0n, true);
      view.setUint8(at, typeOf(descriptor));
      view.setUint16(at + 2, descriptor.flags, true);
      view.setBigUint64(at + 8, descriptor.rights, true);
      view.setBigUint64(at + 16, descriptor.inheriting, true);
    },
    fd_fdstat_set_flags(number: number, flags: number): void {
      descriptors.get(number).flags = flags;
    },
    fd_fdstat_set_rights(number: number, base: bigint, inheriting: bigint): void {
      const descriptor = descriptors.get(number);
      if (base & ~descriptor.rights || inheriting & ~descriptor.inheriting) throw new CallError("notcapable");
      descriptor.rights = base;
      descriptor.inheriting = inheriting;
    },
    fd_filestat_get(number: number, result: number): void {
      const descriptor = descriptors.get(number);
      writeStat(memory(), result, descriptor.kind === "stream" ? undefined : descriptor.node);
    },
    fd_filestat_set_size(number: number, size: bigint): void {
      const file = descriptors.file(number);
      if (!(file.rights & right.write)) throw new CallError("badf");
      file.node.resize(Number(BigInt.asUintN(64, size)));
      file.node.times.modified = clock.now();
    },
    fd_filestat_set_times(number: number, accessed: bigint, modified: bigint, flags: number): void {
      const descriptor = descriptors.get(number);
      if (descriptor.kind === "stream") throw new CallError("badf");
      setTimes(descriptor.node, { accessed, modified, flags, clock });
    },
    fd_seek(number: number, offset: bigint, from: number, result: number): void {
      const file = descriptors.file(number);
      file.position = sought(file, offset, from);
      memory().view.setBigUint64(result >>> 0, BigInt(file.position), true);
    },
    fd_tell(number: number, result: number): void {
      memory().view.setBigUint64(result >>> 0, BigInt(descriptors.file(number).position), true);
    },
  };
}

function transferCalls({ memory, clock, descriptors }: Process) {
  const readAt = (node: FileNode, pieces: Uint8Array[], position: number): number => {
    let count = 0;
    for (const piece of pieces) {
      const read = node.read(piece, position + count);
      count += read;
      if (read < piece.length) break;
    }
    return count;
  };
  const writeAt = (node: FileNode, pieces: Uint8Array[], position: number): number => {
    let count = 0;
    for (const piece of pieces) {
      node.write(piece, position + count);
      count += piece.length;
    }
    node.times.modified = clock.now();
    return count;
  };
  const tell = (result: number, count: number): void => memory().view.setUint32(result >>> 0, count, true);
  return {
    fd_read(number: number, address: number, count: number, result: number): void {
      const file = descriptors.readable(number);
      const read = readAt(file.node, memory().pieces(address, count), file.position);
      file.position += read;
      tell(result, read);
    },
    fd_pread(number: number, address: number, count: number, offset: bigint, result: number): void {
      const { node } = descriptors.readable(number);
      tell(result, readAt(node, memory().pieces(address, count), positionOf(offset)));
    },
    fd_write(number: number, address: number, count: number, result: number): void {
      const descriptor = descriptors.writable(number);
      const pieces = memory().pieces(address, count);
      if (descriptor.kind === "stream") {
        for (const piece of pieces) descriptor.write(piece);
        tell(
          result,
          pieces.reduce((sum, { length }) => sum + length, 0),
        );
        return;
      }
      if (descriptor.flags & descriptorFlag.append) descriptor.position = descriptor.node.size;
      const written = writeAt(descriptor.node, pieces, descriptor.position);
      descriptor.position += written;
      tell(result, written);
    },
    fd_pwrite(number: number, address: number, count: number, offset: bigint, result: number): void {
      const descriptor = descriptors.writable(number);
      if (descriptor.kind === "stream") throw new CallError("spipe");
      const { node, flags } = descriptor;
      // As on Linux, a file in append mode is written at its end wherever the program asks for.
      const position = flags & descriptorFlag.append ? node.size : positionOf(offset);
      tell(result, writeAt(node, memory().pieces(address, count), position));
    },
  };
}

function positionOf(offset: bigint): number {
  const position = Number(BigInt.asUintN(64, offset));
  if (!Number.isSafeInteger(position)) throw new CallError("inval");
  return position;
}

function directoryCalls({ memory, files, descriptors }: Process) {
  const nameOfPreopened = (number: number): Uint8Array => {
    const descriptor = descriptors.get(number);
    if (descriptor.kind !== "directory" || descriptor.preopened === undefined) throw new CallError("badf");
    return new TextEncoder().encode(descriptor.preopened);
  };
  return {
    fd_prestat_get(number: number, result: number): void {
      const { length } = nameOfPreopened(number);
      memory().view.setUint32(result >>> 0, 0, true);
      memory().view.setUint32((result >>> 0) + 4, length, true);
    },
    fd_prestat_dir_name(number: number, address: number, length: number): void {
      const name = nameOfPreopened(number);
      if (length >>> 0 < name.length) throw new CallError("nametoolong");
      memory().bytes(address, name.length).set(name);
    },
    fd_readdir(number: number, address: number, length: number, cookie: bigint, result: number): void {
      const directory = descriptors.directory(number);
      const target = memory().bytes(address, length);
      let used = 0;
      for (const entry of entriesFrom(directory, files, Number(cookie))) {
        const part = target.subarray(used);
        part.set(entry.subarray(0, part.length));
        used += Math.min(entry.length, part.length);
        if (used === target.length) break;
      }
      memory().view.setUint32(result >>> 0, used, true);
    },
  };
}

const entryHeaderBytes = 24;

/** Entries of a directory behind a cookie, as bytes. */
function* entriesFrom(
  directory: Descriptor & { kind: "directory" },
  files: FileSystem,
  from: number,
): Generator<Uint8Array> {
  const { node } = directory;
  if (from === 0 || !directory.listing) directory.listing = [".", "..", ...node.entries.keys()];
  for (const [index, name] of directory.listing.entries()) {
    if (index < from) continue;
    // The directory above is told by the root's number: directories do not know where they are.
    const found = name === "." ? node : name === ".." ? files.root : node.entries.get(name);
    if (!found) continue;
    const text = new TextEncoder().encode(name);
    const bytes = new Uint8Array(entryHeaderBytes + text.length);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(index + 1), true);
    view.setBigUint64(8, found.inode, true);
    view.setUint32(16, text.length, true);
    view.setUint8(20, found.type);
    bytes.set(text, entryHeaderBytes);
    yield bytes;
  }
}

function pathCalls({ memory, clock, files, descriptors }: Process) {
  const text = (address: number, length: number): string => memory().text(address, length);
  const placeOf = (number: number, address: number, length: number, follow = false) =>
    files.place(descriptors.directory(number).node, text(address, length), follow);
  const nodeAt = (number: number, flags: number, address: number, length: number) =>
    files.find(
      descriptors.directory(number).node,
      text(address, length),
      (flags & lookupFlag.followSymlink) !== 0,
    );
  return {
    path_create_directory(number: number, address: number, length: number): void {
      const place = placeOf(number, address, length);
      if (place.node) throw new CallError("exist");
      files.add(place, files.makeDirectory());
    },
    path_filestat_get(number: number, flags: number, address: number, length: number, result: number): void {
      writeStat(memory(), result, nodeAt(number, flags, address, length));
    },
    path_filestat_set_times(
      number: number,
      lookup: number,
      address: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      flags: number,
    ): void {
      setTimes(nodeAt(number, lookup, address, length), { accessed, modified, flags, clock });
    },
    path_link(
      from: number,
      lookup: number,
      fromAddress: number,
      fromLength: number,
      to: number,
      toAddress: number,
      toLength: number,
    ): void {
      if (lookup & lookupFlag.followSymlink) throw new CallError("inval");
      const node = nodeAt(from, lookup, fromAddress, fromLength);
      files.hardLink(placeOf(to, toAddress, toLength), node);
    },
    path_open(
      number: number,
      lookup: number,
      address: number,
      length: number,
      openFlags: number,
      rights: bigint,
      inheriting: bigint,
      flags: number,
      result: number,
    ): void {
      const base = descriptors.directory(number);
      const place = placeOf(number, address, length, (lookup & lookupFlag.followSymlink) !== 0);
      const node = opened(place.node, openFlags, () => {
        const made = files.makeFile();
        files.add(place, made);
        return made;
      });
      const allowed = { rights: rights & base.inheriting, inheriting: inheriting & base.inheriting };
      if (node instanceof DirectoryNode) {
        if (rights & right.write) throw new CallError("isdir");
        const own = { rights: rights & (base.inheriting | base.rights), inheriting: allowed.inheriting };
        memory().view.setUint32(result >>> 0, descriptors.add(openDirectory(node, own)), true);
        return;
      }
      if (openFlags & openFlag.truncate) {
        if (!(base.rights & right.setSizeOfPath)) throw new CallError("notcapable");
        node.resize(0);
      }
      const file = openFile(node, allowed.rights & fileRights, flags);
      memory().view.setUint32(result >>> 0, descriptors.add(file), true);
    },
    path_readlink(
      number: number,
      address: number,
      length: number,
      buffer: number,
      size: number,
      result: number,
    ): void {
      const { node } = placeOf(number, address, length);
      if (!node) throw new CallError("noent");
      if (!(node instanceof SymlinkNode)) throw new CallError("inval");
      const target = new TextEncoder().encode(node.target).subarray(0, size >>> 0);
      memory().bytes(buffer, target.length).set(target);
      memory().view.setUint32(result >>> 0, target.length, true);
    },
    path_remove_directory(number: number, address: number, length: number): void {
      files.removeDirectory(placeOf(number, address, length));
    },
    path_rename(
      from: number,
      fromAddress: number,
      fromLength: number,
      to: number,
      toAddress: number,
      toLength: number,
    ): void {
      files.rename(placeOf(from, fromAddress, fromLength), placeOf(to, toAddress, toLength));
    },
    path_symlink(
      targetAddress: number,
      targetLength: number,
      number: number,
      address: number,
      length: number,
    ): void {
      const target = text(targetAddress, targetLength);
      if (target === "") throw new CallError("noent");
      if (target.startsWith("/")) throw new CallError("notcapable");
      files.add(placeOf(number, address, length), files.makeSymlink(target));
    },
    path_unlink_file(number: number, address: number, length: number): void {
      files.unlinkFile(placeOf(number, address, length));
    },
  };
}

/** The file or directory that a call opens. */
function opened(
  found: FileSystemNode | undefined,
  flags: number,
  make: () => FileNode,
): FileNode | DirectoryNode {
  if (!found) {
    if (!(flags & openFlag.create)) throw new CallError("noent");
    if (flags & openFlag.directory) throw new CallError("inval");
    return make();
  }
  if (flags & openFlag.create && flags & openFlag.exclusive) throw new CallError("exist");
  if (found instanceof SymlinkNode) throw new CallError("loop");
  if (flags & openFlag.directory && !(found instanceof DirectoryNode)) throw new CallError("notdir");
  if (found instanceof DirectoryNode && flags & (openFlag.create | openFlag.truncate))
    throw new CallError("isdir");
  return found;
}

function pollCalls({ memory, clock, descriptors }: Process) {
  return {
    /** Files and streams are always ready. A program that waits for clocks alone sleeps until the first of them. */
    poll_oneoff(subscriptions: number, events: number, count: number, result: number): void {
      if (count === 0) throw new CallError("inval");
      const asked = Array.from({ length: count >>> 0 }, (_, index) =>
        subscriptionAt(memory().view, (subscriptions >>> 0) + index * subscriptionBytes),
      );
      let ready = asked.filter(({ type }) => type !== eventType.clock);
      if (ready.length === 0) {
        const now: Record<number, bigint> = {
          [clockId.realtime]: clock.now(),
          [clockId.monotonic]: clock.elapsed(),
        };
        const waits = asked.map(({ clock: id, timeout, isAbsolute }) => {
          const since = now[id];
          if (since === undefined) throw new CallError("notsup");
          return isAbsolute ? timeout - since : timeout;
        });
        const shortest = waits.reduce((least, wait) => (wait < least ? wait : least));
        clock.sleep(shortest);
        ready = asked.filter((_, index) => waits[index]! <= (shortest > 0n ? shortest : 0n));
      }
      const { view } = memory();
      for (const [index, { userData, type, descriptor }] of ready.entries()) {
        const at = (events >>> 0) + index * eventBytes;
        memory().bytes(at, eventBytes).fill(0);
        view.setBigUint64(at, userData, true);
        view.setUint8(at + 10, type);
        if (type === eventType.clock) continue;
        try {
          const open =
            type === eventType.read ? descriptors.readable(descriptor) : descriptors.writable(descriptor);
          const left = open.kind === "file" ? Math.max(0, open.node.size - open.position) : 0;
          view.setBigUint64(at + 16, BigInt(type === eventType.read ? left : 1), true);
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          view.setUint16(at + 8, error.number, true);
        }
      }
      view.setUint32(result >>> 0, ready.length, true);
    },
  };
}

const subscriptionBytes = 48;
const eventBytes = 32;

function subscriptionAt(view: DataView, at: number) {
  return {
    userData: view.getBigUint64(at, true),
    type: view.getUint8(at + 8),
    descriptor: view.getUint32(at + 16, true),
    clock: view.getUint32(at + 16, true),
    timeout: view.getBigUint64(at + 24, true),
    isAbsolute: (view.getUint16(at + 40, true) & absoluteTime) !== 0,
  };
}

/** Writes what is known of a node, or of a stream. */
function writeStat(memory: GuestMemory, result: number, node: FileSystemNode | undefined): void {
  const at = result >>> 0;
  memory.bytes(at, 64).fill(0);
  const { view } = memory;
  view.setBigUint64(at, node ? 1n : 0n, true);
  view.setUint8(at + 16, node?.type ?? fileType.characterDevice);
  if (!node) return;
  const { inode, links, size, times } = node;
  view.setBigUint64(at + 8, inode, true);
  view.setBigUint64(at + 24, BigInt(links), true);
  view.setBigUint64(at + 32, BigInt(size), true);
  view.setBigUint64(at + 40, times.accessed, true);
  view.setBigUint64(at + 48, times.modified, true);
  view.setBigUint64(at + 56, times.modified, true);
}

function setTimes(
  { times }: FileSystemNode,
  { accessed, modified, flags, clock }: { accessed: bigint; modified: bigint; flags: number; clock: Clock },
): void {
  const { access, accessNow, modify, modifyNow } = timeFlag;
  if ((flags & access && flags & accessNow) || (flags & modify && flags & modifyNow))
    throw new CallError("inval");
  if (flags & access) times.accessed = BigInt.asUintN(64, accessed);
  if (flags & modify) times.modified = BigInt.asUintN(64, modified);
  if (flags & accessNow) times.accessed = clock.now();
  if (flags & modifyNow) times.modified = clock.now();
}
