import { CallError, descriptorFlag } from "../abi.ts";
import type { FileNode } from "../nodes.ts";
import type { Process } from "../process.ts";

export function transferCalls({ memory, clock, descriptors }: Process) {
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
      // A file in append mode is written at its end, wherever the program asks for, as on Linux.
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
