/** A file that is no valid MRC2014 file; the message says the place and the expected value. */
export class MrcError extends Error {
  override readonly name = "MrcError";
}

/** Three numbers, one for each axis. */
export type Triple = readonly [number, number, number];

/** Modes of real densities with their bytes a sample: 8-bit, 16-bit, 32-bit real, unsigned 16-bit, 16-bit real. */
export const bytesOfMode = { 0: 1, 1: 2, 2: 4, 6: 2, 12: 2 } as const;
export type MrcMode = keyof typeof bytesOfMode;

/** The header of an MRC file (MRC2014: Cheng et al., J. Struct. Biol. 192 (2015) 146). */
export interface MrcHeader {
  /** Samples along the fastest, the middle and the slowest axis of the file (NX, NY, NZ). */
  readonly dimensions: Triple;
  readonly mode: MrcMode;
  /** Whether the bytes of mode 0 are 0 … 255, as IMOD's stamp says, instead of MRC2014's −128 … 127. */
  readonly unsignedBytes: boolean;
  /** Index of the first sample on each file axis (NXSTART …). */
  readonly start: Triple;
  /** Intervals along x, y, z of the unit cell (MX, MY, MZ). */
  readonly sampling: Triple;
  /** Lengths of the unit cell along x, y, z, Å, and its angles, degrees. */
  readonly cell: Triple;
  readonly angles: Triple;
  /** Spatial axis (x 1, y 2, z 3) of the fastest, middle and slowest axis of the file (MAPC, MAPR, MAPS). */
  readonly axes: Triple;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  readonly rms: number;
  /** 0: an image or a stack of images; 1 … 230: a volume; 401 … 630: a stack of volumes. */
  readonly spaceGroup: number;
  readonly extendedBytes: number;
  /** Kind of the extended header: `CCP4`, `FEI1`, `SERI` …, or empty. */
  readonly extendedType: string;
  /** Position of sample 0 on x, y and z, Å. */
  readonly origin: Triple;
  readonly littleEndian: boolean;
  readonly labels: readonly string[];
}

export const headerBytes = 1024;

/** Stamp of IMOD and compatible programs in front of their flags. */
const imodStamp = 1_146_047_817;
const imodFlags = { signedBytes: 1, originIsNegated: 4, halfBytes: 16 } as const;

/**
 * Reads the first 1,024 bytes of a file.
 * @param fileBytes - length of the whole file, which must hold all announced data
 * @throws MrcError that names the invalid field
 */
export function parseMrcHeader(bytes: Uint8Array, fileBytes: number = bytes.length): MrcHeader {
  refuseOtherFormats(bytes);
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
  const flags = integer(39) === imodStamp ? integer(40) : undefined;
  const origin = triple(real, 50);
  const header: MrcHeader = {
    dimensions: triple(integer, 1),
    mode: readMode(integer(4), flags),
    unsignedBytes: flags !== undefined && !(flags & imodFlags.signedBytes),
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
    // IMOD's own origin has the opposite sign, unless a flag says otherwise.
    origin: flags !== undefined && !(flags & imodFlags.originIsNegated) ? negated(origin) : origin,
    littleEndian,
    rms: real(55),
    labels: Array.from({ length: Math.min(10, Math.max(0, integer(56))) }, (_, i) => text(224 + 80 * i, 80)),
  };
  checkRanges(header);
  checkLength(header, fileBytes);
  return header;
}

/** First bytes of other formats that are often given in place of an MRC file. */
const otherFormats: readonly (readonly [name: string, ...start: number[]])[] = [
  ["compressed with gzip; unpack it first (gunzip)", 0x1f, 0x8b],
  ["compressed with bzip2; unpack it first (bunzip2)", 0x42, 0x5a, 0x68],
  ["compressed with zstd; unpack it first (unzstd)", 0x28, 0xb5, 0x2f, 0xfd],
  ["compressed with xz; unpack it first (unxz)", 0xfd, 0x37, 0x7a, 0x58, 0x5a],
  ["a ZIP archive; unpack it first (unzip)", 0x50, 0x4b, 0x03, 0x04],
  ["a TIFF file; convert it to MRC first", 0x49, 0x49, 0x2a, 0x00],
  ["a TIFF file; convert it to MRC first", 0x4d, 0x4d, 0x00, 0x2a],
  ["an HDF5 file; convert it to MRC first", 0x89, 0x48, 0x44, 0x46],
];

function refuseOtherFormats(bytes: Uint8Array): void {
  const other = otherFormats.find(([, ...start]) => start.every((byte, i) => bytes[i] === byte));
  if (other) throw new MrcError(other[0]);
}

function readByteOrder(view: DataView): boolean {
  const stamp = view.getUint16(212);
  if (stamp === 0x4444 || stamp === 0x4441) return true;
  if (stamp === 0x1111) return false;
  // Old files have no stamp: their byte order is the one in which the mode is valid.
  const mode = view.getInt32(12, true);
  if (mode >= 0 && mode <= 101) return true;
  if (view.getInt32(12, false) >= 0 && view.getInt32(12, false) <= 101) return false;
  throw new MrcError(
    `no machine stamp (0x${stamp.toString(16).padStart(4, "0")} at byte 212) and no mode either way: not an MRC file`,
  );
}

function readMode(mode: number, flags: number | undefined): MrcMode {
  if (mode === 0 && flags !== undefined && flags & imodFlags.halfBytes)
    throw new MrcError("mode 0 with two 4-bit numbers a byte; convert it to 8 bits or more first");
  if (mode in bytesOfMode) return mode as MrcMode;
  const names: Record<number, string> = {
    3: "complex 16-bit",
    4: "complex 32-bit",
    7: "32-bit integers",
    16: "colours",
    101: "4-bit",
  };
  throw new MrcError(
    `mode ${mode}${names[mode] ? ` (${names[mode]})` : ""}; modes ${Object.keys(bytesOfMode).join(", ")} can be read`,
  );
}

function readAxes(axes: Triple): Triple {
  // Programs may write three zeros for the usual order.
  if (axes.every((axis) => axis === 0)) return [1, 2, 3];
  if ([1, 2, 3].every((axis) => axes.includes(axis))) return axes;
  throw new MrcError(`axes ${axes.join(", ")} (MAPC, MAPR, MAPS); an order of 1, 2, 3 was expected`);
}

/** Å; larger than any specimen of a microscope. */
const largestCell = 1e9;
const largestIndex = 1e8;

/** Zeros are accepted, because some programs write them for unknown values; the readers of a number check for it. */
function checkRanges({
  dimensions,
  start,
  sampling,
  cell,
  angles,
  spaceGroup,
  extendedBytes,
  origin,
}: MrcHeader): void {
  const check = (
    fields: string,
    expected: string,
    values: readonly number[],
    fits: (value: number) => boolean,
  ): void => {
    if (!values.every(fits)) throw new MrcError(`${fields} ${values.join(", ")}; ${expected} expected`);
  };
  const within = (low: number, high: number) => (value: number) => value >= low && value <= high;
  check("NX, NY, NZ of", "each at least 1 was", dimensions, within(1, Infinity));
  check(
    "NXSTART, NYSTART, NZSTART of",
    `numbers within ±${largestIndex} were`,
    start,
    within(-largestIndex, largestIndex),
  );
  check("MX, MY, MZ of", `intervals of a cell, 0 … ${largestIndex}, were`, sampling, within(0, largestIndex));
  check("cell lengths (CELLA) of", `0 … ${largestCell} Å were`, cell, within(0, largestCell));
  check("cell angles (CELLB) of", "0 … 180° were", angles, (value) => value >= 0 && value < 180);
  check("space group (ISPG)", "0 … 630 was", [spaceGroup], within(0, 630));
  check("an extended header (NSYMBT) of", "0 or more bytes were", [extendedBytes], within(0, Infinity));
  check("ORIGIN of", `numbers within ±${largestCell} Å were`, origin, within(-largestCell, largestCell));
}

function negated([x, y, z]: Triple): Triple {
  return [0 - x, 0 - y, 0 - z];
}

function checkLength({ dimensions, mode, extendedBytes }: MrcHeader, fileBytes: number): void {
  const expected =
    headerBytes + extendedBytes + dimensions[0] * dimensions[1] * dimensions[2] * bytesOfMode[mode];
  if (fileBytes < expected)
    throw new MrcError(
      `${fileBytes} bytes; ${dimensions.join(" × ")} samples of mode ${mode} and ${extendedBytes} bytes of extended header need ${expected}`,
    );
}
