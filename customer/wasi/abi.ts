/** Numbers of the interface `wasi_snapshot_preview1`, https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md. */
export const errno = {
  success: 0,
  badf: 8,
  exist: 20,
  fault: 21,
  fbig: 22,
  inval: 28,
  isdir: 31,
  loop: 32,
  mfile: 33,
  nametoolong: 37,
  noent: 44,
  nospc: 51,
  nosys: 52,
  notdir: 54,
  notempty: 55,
  notsock: 57,
  notsup: 58,
  perm: 63,
  spipe: 70,
  notcapable: 76,
} as const;

export const fileType = { characterDevice: 2, directory: 3, regularFile: 4, symbolicLink: 7 } as const;

export const descriptorFlag = { append: 1 } as const;
export const openFlag = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
export const lookupFlag = { followSymlink: 1 } as const;
export const timeFlag = { access: 1, accessNow: 2, modify: 4, modifyNow: 8 } as const;
export const whence = { set: 0, current: 1, end: 2 } as const;
export const clockId = { realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 } as const;
export const eventType = { clock: 0, read: 1, write: 2 } as const;
/** Of a subscription to a clock: its time is absolute. */
export const absoluteTime = 1;

const bit = (position: number): bigint => 1n << BigInt(position);

/** Rights of a descriptor; the others are granted and mean nothing, as in other runtimes. */
export const right = { read: bit(1), write: bit(6), setSizeOfPath: bit(19) } as const;

const range = (from: number, to: number): bigint => bit(to + 1) - bit(from);

/** Rights that a descriptor of a file can have: 0 to 8, 21 to 23, and 27 (`poll_fd_readwrite`). */
export const fileRights = range(0, 8) | range(21, 23) | bit(27);
/** Rights that a descriptor of a directory can have: those with paths, `fd_readdir`, `fd_filestat_get`, `fd_filestat_set_times`, `fd_sync`. */
export const directoryRights = range(9, 21) | range(23, 26) | bit(4);

/** Ends a call with an error number. */
export class CallError extends Error {
  readonly number: number;

  constructor(name: keyof typeof errno) {
    super(name);
    this.number = errno[name];
  }
}
