import { CallError, fileRights, lookupFlag, openFlag, right } from "../abi.ts";
import { openDirectory, openFile } from "../descriptors.ts";
import { nodeOf } from "../file-system.ts";
import { DirectoryNode, SymlinkNode, type FileNode, type FileSystemNode } from "../nodes.ts";
import type { Process } from "../process.ts";
import { setTimes, writeStat } from "./stat.ts";

export function pathCalls({ memory, clock, files, descriptors }: Process) {
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
      const node = nodeOf(placeOf(number, address, length));
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
