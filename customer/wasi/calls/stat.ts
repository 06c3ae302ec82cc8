import { CallError, fileType, timeFlag } from "../abi.ts";
import type { Clock } from "../clock.ts";
import type { GuestMemory } from "../guest-memory.ts";
import type { FileSystemNode } from "../nodes.ts";

/** Writes what is known of a node, or of a stream. */
export function writeStat(memory: GuestMemory, result: number, node: FileSystemNode | undefined): void {
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

export function setTimes(
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
