import { CallError, right } from "../abi.ts";
import { sought, typeOf } from "../descriptors.ts";
import type { Process } from "../process.ts";
import { setTimes, writeStat } from "./stat.ts";

export function descriptorCalls({ memory, clock, descriptors }: Process) {
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
