/** A file that is not what MRC2014 says it should be; the message says where and what was expected. */
export class MrcError extends Error {
  override readonly name = "MrcError";
}

/** Three numbers, one for each axis. */
export type Triple = readonly [number, number, number];

/** Modes that hold real densities, with the bytes of one: 8-bit, 16-bit, 32-bit real, unsigned 16-bit, 16-bit real. */
export const bytesOfMode = { 0: 1, 1: 2, 2: 4, 6: 2, 12: 2 } as const;
export type MrcMode = keyof typeof bytesOfMode;

/** The header of an MRC file (MRC2014: Cheng et al., J. Struct. Biol. 192 (2015) 146). */
export interface MrcHeader {
  /** Samples along the fastest, the middle and the slowest axis of the file (NX, NY, NZ). */
  readonly dimensions: Triple;
  readonly mode: MrcMode;
  /** Index of the first sample on each file axis (NXSTART …). */
  readonly start: Triple;
  /** Intervals along x, y, z of the unit cell (MX, MY, MZ). */
  readonly sampling: Triple;
  /** Lengths of the unit cell along x, y, z, Å, and its angles, degrees. */
  readonly cell: Triple;
  readonly angles: Triple;
  /** Which of x (1), y (2), z (3) the fastest, middle and slowest axis of the file is (MAPC, MAPR, MAPS). */
  readonly axes: Triple;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  readonly rms: number;
  /** 0: images or a stack of them; 1 … 230: a volume; 401 … 630: a stack of volumes. */
  readonly spaceGroup: number;
  readonly extendedBytes: number;
  /** What the extended header is: `CCP4`, `FEI1`, `SERI` …, or empty. */
  readonly extendedType: string;
  readonly origin: Triple;
  readonly littleEndian: boolean;
  readonly labels: readonly string[];
}

export const headerBytes = 1024;

/**
 * Reads the first 1,024 bytes of a file.
 * @param fileBytes - length of the whole file, which must hold what the header announces
 * @throws MrcError
 */
export function parseMrcHeader(bytes: Uint8Array, fileBytes: number = bytes.length): MrcHeader {
  if (bytes.length < headerBytes)
    throw new MrcError(`${bytes.length} bytes; an MRC file begins with a header of ${headerBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const littleEndian = readByteOrder(view);
  const integer = (word: number): number => view.getInt32(4 * (word - 1), littleEndian);
  const real = (word: number): number => view.getFloat32(4 * (word - 1), littleEndian);
  const triple = (read: (word: number) => number, word: number): Triple => [
    read(word),
    read(word + 1),
    read(word + 2),
  ];
  const text = (from: number, length: number): string =>
    new TextDecoder("latin1").decode(bytes.subarray(from, from + length)).replace(/[\0 ]+$/, "");
  const header: MrcHeader = {
    dimensions: triple(integer, 1),
    mode: readMode(integer(4)),
    start: triple(integer, 5),
    sampling: triple(integer, 8),
    cell: triple(real, 11),
    angles: triple(real, 14),
    axes: readAxes(triple(integer, 17)),
    minimum: real(20),
    maximum: real(21),
    mean: real(22),
    spaceGroup: integer(23),
    extendedBytes: integer(24),
    extendedType: text(104, 4),
    origin: triple(real, 50),
    littleEndian,
    rms: real(55),
    labels: Array.from({ length: Math.min(10, Math.max(0, integer(56))) }, (_, i) => text(224 + 80 * i, 80)),
  };
  checkLength(header, fileBytes);
  return header;
}

function readByteOrder(view: DataView): boolean {
  const stamp = view.getUint16(212);
  if (stamp === 0x4444 || stamp === 0x4441) return true;
  if (stamp === 0x1111) return false;
  // Old files have no stamp: the order in which the mode makes sense is the right one.
  const mode = view.getInt32(12, true);
  if (mode >= 0 && mode <= 101) return true;
  if (view.getInt32(12, false) >= 0 && view.getInt32(12, false) <= 101) return false;
  throw new MrcError(
    `no machine stamp (0x${stamp.toString(16).padStart(4, "0")} at byte 212) and no mode either way: not an MRC file`,
  );
}

function readMode(mode: number): MrcMode {
  if (mode in bytesOfMode) return mode as MrcMode;
  const names: Record<number, string> = { 3: "complex 16-bit", 4: "complex 32-bit", 101: "4-bit" };
  throw new MrcError(
    `mode ${mode}${names[mode] ? ` (${names[mode]})` : ""}; modes ${Object.keys(bytesOfMode).join(", ")} can be read`,
  );
}

function readAxes(axes: Triple): Triple {
  // Some programs leave the three words at zero and mean the usual order.
  if (axes.every((axis) => axis === 0)) return [1, 2, 3];
  if ([1, 2, 3].every((axis) => axes.includes(axis))) return axes;
  throw new MrcError(`axes ${axes.join(", ")} (MAPC, MAPR, MAPS); an order of 1, 2, 3 was expected`);
}

function checkLength({ dimensions, mode, extendedBytes }: MrcHeader, fileBytes: number): void {
  if (dimensions.some((count) => count < 1))
    throw new MrcError(`${dimensions.join(" × ")} samples; each must be at least 1`);
  if (extendedBytes < 0) throw new MrcError(`an extended header of ${extendedBytes} bytes`);
  const expected =
    headerBytes + extendedBytes + dimensions[0] * dimensions[1] * dimensions[2] * bytesOfMode[mode];
  if (fileBytes < expected)
    throw new MrcError(
      `${fileBytes} bytes; ${dimensions.join(" × ")} samples of mode ${mode} and ${extendedBytes} bytes of extended header need ${expected}`,
    );
}
