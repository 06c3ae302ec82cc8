import {
  bytesOfMode,
  headerBytes,
  MrcError,
  parseMrcHeader,
  type MrcHeader,
  type MrcMode,
  type Triple,
} from "./mrc-header.ts";
import type { Volume } from "./volume.ts";

export { MrcError, parseMrcHeader, type MrcHeader, type MrcMode, type Triple } from "./mrc-header.ts";

/** An MRC file in memory. */
export interface Mrc {
  readonly header: MrcHeader;
  /** Densities in the order of the file. */
  readonly data: Float32Array;
}

/** Reads an MRC file. @throws MrcError */
export function readMrc(bytes: Uint8Array): Mrc {
  const header = parseMrcHeader(bytes);
  const data = new Float32Array(header.dimensions[0] * header.dimensions[1] * header.dimensions[2]);
  decodeDensities(header, bytes.subarray(headerBytes + header.extendedBytes), data);
  return { header, data };
}

/** Decodes as many densities as `out` has room for. */
export function decodeDensities(header: MrcHeader, bytes: Uint8Array, out: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = bytesOfMode[header.mode];
  const read = header.unsignedBytes && header.mode === 0 ? readUnsignedByte : readers[header.mode];
  for (let i = 0; i < out.length; i++) out[i] = read(view, i * width, header.littleEndian);
}

type ReadDensity = (view: DataView, at: number, littleEndian: boolean) => number;

const readUnsignedByte: ReadDensity = (view, at) => view.getUint8(at);

const readers: Record<MrcMode, ReadDensity> = {
  0: (view, at) => view.getInt8(at),
  1: (view, at, littleEndian) => view.getInt16(at, littleEndian),
  2: (view, at, littleEndian) => view.getFloat32(at, littleEndian),
  6: (view, at, littleEndian) => view.getUint16(at, littleEndian),
  12: (view, at, littleEndian) => view.getFloat16(at, littleEndian),
};

const writers: Record<MrcMode, (view: DataView, at: number, value: number) => void> = {
  0: (view, at, value) => view.setInt8(at, whole(value, -128, 127)),
  1: (view, at, value) => view.setInt16(at, whole(value, -32_768, 32_767), true),
  2: (view, at, value) => view.setFloat32(at, value, true),
  6: (view, at, value) => view.setUint16(at, whole(value, 0, 65_535), true),
  12: (view, at, value) => view.setFloat16(at, value, true),
};

function whole(value: number, low: number, high: number): number {
  const rounded = Math.round(value);
  if (rounded >= low && rounded <= high) return rounded;
  throw new MrcError(`the density ${value} does not fit a mode of ${low} … ${high}`);
}

/** Densities with x fastest, then y, then z, and their dimensions in that order, for any axis order of the file. */
export function inOrderXyz({ header, data }: Mrc): { dimensions: Triple; data: Float32Array } {
  const { axes, dimensions } = header;
  if (axes.join() === "1,2,3") return { dimensions, data };
  const size: [number, number, number] = [0, 0, 0];
  axes.forEach((axis, i) => (size[axis - 1] = dimensions[i as 0]));
  const strides = [1, size[0], size[0] * size[1]];
  const [fast, middle, slow] = axes.map((axis) => strides[axis - 1]!) as [number, number, number];
  const ordered = new Float32Array(data.length);
  let from = 0;
  for (let section = 0; section < dimensions[2]; section++)
    for (let row = 0; row < dimensions[1]; row++)
      for (let column = 0; column < dimensions[0]; column++)
        ordered[section * slow + row * middle + column * fast] = data[from++]!;
  return { dimensions: size, data: ordered };
}

/** Distance between samples along x, y and z, Å; 0 where the header leaves it open. */
export function voxelSize({ cell, sampling }: MrcHeader): Triple {
  const along = (axis: 0 | 1 | 2): number => (sampling[axis] > 0 ? cell[axis] / sampling[axis] : 0);
  return [along(0), along(1), along(2)];
}

/** Å; electron microscopes resolve no finer details, and particles are never aligned in larger pixels. */
const pixelSizes = { least: 0.05, most: 10_000 };

/** Whether a number can be the side of a pixel, in Å. */
export function isPixelSize(side: number): boolean {
  return side >= pixelSizes.least && side <= pixelSizes.most;
}

/**
 * Side of an image's pixels, Å; undefined when the header leaves it open.
 * @throws MrcError when pixels are not square, or of an impossible size
 */
export function pixelSizeOf(header: MrcHeader): number | undefined {
  const [x, y] = voxelSize(header);
  return x > 0 || y > 0 ? equalSides([x, y], "pixels") : undefined;
}

/** The common side. @throws MrcError when the sides differ, or the size is impossible */
function equalSides(sides: readonly number[], name: string): number {
  const side = sides[0]!;
  const said = `${name} of ${sides.map((length) => Number(length.toPrecision(6))).join(" × ")} Å (CELLA ÷ MX, MY, MZ)`;
  if (sides.some((other) => !(Math.abs(other - side) <= 1e-3 * side)))
    throw new MrcError(`${said}; equal sides were expected`);
  if (!isPixelSize(side))
    throw new MrcError(`${said}; ${pixelSizes.least} … ${pixelSizes.most} Å were expected`);
  return side;
}

/**
 * The map for a reconstruction.
 * @param pixelSize - Å, in place of the header's
 * @throws MrcError when the map is not a cube of an even number of equal voxels with a finite density each
 */
export function volumeOf(mrc: Mrc, pixelSize?: number): Volume {
  const { dimensions, data } = inOrderXyz(mrc);
  const { angles } = mrc.header;
  const size = dimensions[0];
  if (dimensions.some((count) => count !== size) || size % 2)
    throw new MrcError(`a map of ${dimensions.join(" × ")} voxels; a cube of an even number was expected`);
  if (angles.some((angle) => angle !== 90 && angle !== 0))
    throw new MrcError(`a map with cell angles of ${angles.join(", ")}° (CELLB); 90° were expected`);
  const sides = voxelSize(mrc.header);
  if (pixelSize === undefined && sides.every((side) => side === 0))
    throw new MrcError("no voxel size (CELLA, MX, MY, MZ)");
  const wrong = data.findIndex((density) => !Number.isFinite(density));
  if (wrong >= 0)
    throw new MrcError(`the density ${data[wrong]} at voxel ${wrong + 1}; finite ones were expected`);
  return { size, pixelSize: pixelSize ?? equalSides(sides, "voxels"), data };
}

/** Position of a map relative to others of its specimen; maps derived from it keep it. */
export interface Placement {
  /** Index of the first voxel along x, y and z (NXSTART …). */
  readonly start: Triple;
  /** Position of that voxel, Å. */
  readonly origin: Triple;
}

/** The placement of a map, x first, for any axis order of the file. */
export function placementOf({ axes, start, origin }: MrcHeader): Placement {
  const ordered: [number, number, number] = [0, 0, 0];
  axes.forEach((axis, i) => (ordered[axis - 1] = start[i as 0]));
  return { start: ordered, origin };
}

/** Properties of a file for {@link writeMrc}. */
interface MrcContents {
  /** Columns, rows, sections. */
  readonly dimensions: Triple;
  /** Å. */
  readonly pixelSize: number;
  /** A stack of images instead of a volume. */
  readonly stack?: boolean;
  readonly mode?: MrcMode;
  /** Absent: at index 0 and 0 Å. */
  readonly placement?: Placement;
  /** At most ten lines of 80 characters. */
  readonly labels?: readonly string[];
}

/** An MRC2014 file, little-endian, x fastest. @throws MrcError when the number of densities does not fit the dimensions */
export function writeMrc(data: Float32Array, contents: MrcContents): Uint8Array {
  const { dimensions, pixelSize, stack = false, mode = 2, placement, labels = [] } = contents;
  const count = dimensions[0] * dimensions[1] * dimensions[2];
  if (count !== data.length || count === 0)
    throw new MrcError(`${data.length} densities for ${dimensions.join(" × ")} samples`);
  const width = bytesOfMode[mode];
  const bytes = new Uint8Array(headerBytes + count * width);
  const view = new DataView(bytes.buffer);
  const body = new DataView(bytes.buffer, headerBytes);
  const write = writers[mode];
  for (let i = 0; i < count; i++) write(body, i * width, data[i]!);

  const integers = (word: number, values: readonly number[]): void =>
    values.forEach((value, i) => view.setInt32(4 * (word - 1 + i), value, true));
  const reals = (word: number, values: readonly number[]): void =>
    values.forEach((value, i) => view.setFloat32(4 * (word - 1 + i), value, true));
  // The third axis of a stack of images is no length: each section is a unit cell.
  const sampling = stack ? [dimensions[0], dimensions[1], 1] : dimensions;
  integers(1, [...dimensions, mode]);
  integers(5, placement?.start ?? [0, 0, 0]);
  integers(8, sampling);
  reals(11, [...sampling.map((intervals) => intervals * pixelSize), 90, 90, 90]);
  integers(17, [1, 2, 3]);
  const { minimum, maximum, mean, rms } = statistics(data);
  reals(20, [minimum, maximum, mean]);
  integers(23, [stack ? 0 : 1, 0]);
  integers(28, [20141]);
  reals(50, placement?.origin ?? [0, 0, 0]);
  bytes.set(new TextEncoder().encode("MAP "), 208);
  bytes.set([0x44, 0x44], 212);
  reals(55, [rms]);
  const lines = labels.slice(0, 10);
  integers(56, [lines.length]);
  lines.forEach((line, i) => bytes.set(latin1(line).subarray(0, 80), 224 + 80 * i));
  return bytes;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => Math.min(character.charCodeAt(0), 255));
}

function statistics(data: Float32Array): { minimum: number; maximum: number; mean: number; rms: number } {
  let minimum = Infinity;
  let maximum = -Infinity;
  let sum = 0;
  for (const value of data) {
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
    sum += value;
  }
  const mean = sum / data.length;
  let squares = 0;
  for (const value of data) squares += (value - mean) ** 2;
  return { minimum, maximum, mean, rms: Math.sqrt(squares / data.length) };
}
