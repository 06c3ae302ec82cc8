import { CallError } from "../abi.ts";
import type { OpenDirectory } from "../descriptors.ts";
import type { FileSystem } from "../file-system.ts";
import type { Process } from "../process.ts";

export function directoryCalls({ memory, files, descriptors }: Process) {
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
function* entriesFrom(directory: OpenDirectory, files: FileSystem, from: number): Generator<Uint8Array> {
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
