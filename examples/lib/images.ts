import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import {
  describeUnusable,
  faultOf,
  type ImageFault,
  type UnusableImage,
} from "../../science/image-quality.ts";
import { oddities, openStack, readMembers } from "../../science/image-stack.ts";
import { named } from "../../science/mrc-file.ts";
import { pixelSizeOf } from "../../science/mrc.ts";
import { readParticleStar, type Particles, type ParticleRow } from "../../science/particle-star.ts";
import { StarError } from "../../science/star-read.ts";
import { findStack } from "./stack-paths.ts";

/** Images of one size in memory, with the metadata of their file. */
export interface ImageSet extends Partial<Pick<Particles, "tables" | "posesLack" | "hasCtf">> {
  readonly images: Float32Array;
  readonly count: number;
  /** Pixels a side, even. */
  readonly box: number;
  /** Å. */
  readonly pixelSize: number;
  /** The row of each image; its `stack` is an absolute path. */
  readonly rows: readonly ParticleRow[];
  /** Unusable images of the files, which are not in the set. */
  readonly leftOut: readonly UnusableImage[];
}

/** Options for reading images. */
export interface ReadOptions {
  readonly warn: (warning: string) => void;
  /** Pixel size, Å, in place of a stack header's. */
  readonly apix?: number | undefined;
  /** Pixel size, Å, when neither a header nor `apix` has one; absent: images without a pixel size are refused. */
  readonly otherwise?: number;
  /** RELION's project directory: names of stacks in STAR files are relative to it. */
  readonly project?: string | undefined;
  /** Images that are referred to by number (class n begins with image n): blank images stay, and no image can be left out. */
  readonly counted?: boolean;
}

/**
 * Reads a stack (`.mrcs`, `.mrc`) or the particles of a RELION STAR file; only the named images of a stack are read. Blank
 * images, and images with a pixel that is no finite number, are left out with a warning that names them.
 * @throws RangeError when images differ in size or are not even squares, when there is no pixel size, or no usable image, and
 * for refusals of {@link readParticleStar}
 */
export async function readImages(path: string, options: ReadOptions): Promise<ImageSet> {
  const table = extname(path) === ".star" ? await tableOf(path, options) : await rowsOf(path, options);
  const { images, box } = await readRows(path, table.rows, options);
  checkTable(path, table, box, options.warn);
  const area = box * box;
  const faults = table.rows.map((_, i) => faultOf(images.subarray(i * area, (i + 1) * area)));
  const unusable = table.rows.flatMap(({ index, stack }, i): UnusableImage[] =>
    faults[i] ? [{ fault: faults[i], index, stack }] : [],
  );
  const leave = (fault: ImageFault | undefined): boolean => fault !== undefined && !options.counted;
  const count = keepImages(
    images,
    area,
    faults.map((fault) => !leave(fault)),
  );
  const told = describeUnusable(unusable);
  if (options.counted && faults.includes("notFinite"))
    throw new RangeError(`${told.join("; ")}; the images of this file are counted, so none can be left out`);
  if (count === 0)
    throw new RangeError(`${path}: no image can be used: ${told.join("; ") || "there is none"}`);
  for (const text of told) options.warn(options.counted ? text : `${text}; left out`);
  if (table.hasCtf) options.warn(`${path}: ${ctfWarning}`);
  return {
    ...table,
    images: images.subarray(0, count * area),
    count,
    box,
    rows: table.rows.filter((_, i) => !leave(faults[i])),
    leftOut: options.counted ? [] : unusable,
  };
}

const ctfWarning =
  "its contrast transfer function (rlnDefocusU …) is not corrected: images are compared and inserted as they are, so give phase-flipped ones";

/** Closing sentences of a program about unused images and missing corrections; empty when there are none. */
export function caveats({ count, leftOut, hasCtf }: ImageSet): string[] {
  const ctf = hasCtf ? ["not corrected: the contrast transfer function of the particles"] : [];
  if (leftOut.length === 0) return ctf;
  const blank = leftOut.filter(({ fault }) => fault === "blank").length;
  const reasons = [
    ...(blank < leftOut.length ? [`${leftOut.length - blank} with a pixel that is NaN or infinite`] : []),
    ...(blank > 0 ? [`${blank} blank`] : []),
  ];
  return [`left out: ${leftOut.length} of ${count + leftOut.length} images (${reasons.join(", ")})`, ...ctf];
}

/** Rows with absolute paths of stacks. */
type Table = Pick<Particles, "rows" | "pixelSize"> & Partial<Particles>;

async function tableOf(path: string, options: ReadOptions): Promise<Table> {
  const text = await readFile(path, "utf8");
  const table = (() => {
    try {
      return readParticleStar(text, options.apix);
    } catch (error) {
      throw error instanceof StarError ? new RangeError(`${path}: ${error.message}`) : error;
    }
  })();
  const paths = new Map<string, string>();
  for (const name of new Set(table.rows.map(({ stack }) => stack)))
    paths.set(name, await findStack(path, name, options));
  return { ...table, rows: table.rows.map((row) => ({ ...row, stack: paths.get(row.stack)! })) };
}

/** Every image of a stack. */
async function rowsOf(path: string, { apix, otherwise }: ReadOptions): Promise<Table> {
  const stack = resolve(path);
  const file = await openStack(stack);
  await file.close();
  const pixelSize = apix ?? named(path, () => pixelSizeOf(file.header)) ?? otherwise;
  if (pixelSize === undefined)
    throw new RangeError(`${path}: no pixel size in the header (CELLA, MX, MY); give it with --apix <Å>`);
  const rows = Array.from({ length: file.header.dimensions[2] }, (_, index) => ({ index, stack }));
  return { rows, pixelSize, posesLack: "a stack has none; a STAR file with angles and origins was expected" };
}

/** @throws RangeError when the table contradicts images of `box` pixels */
function checkTable(
  path: string,
  { rows, imageSize, tables, hasOddOrigins }: Table,
  box: number,
  warn: ReadOptions["warn"],
): void {
  if (imageSize !== undefined && imageSize !== box)
    throw new RangeError(
      `${path}: images of ${imageSize} pixels (data_optics, _rlnImageSize), and the stack has ${box}; the pixel size would be wrong too`,
    );
  // Shifts in Å under the name of pixels seem to move particles beyond the edge of their images.
  const most = hasOddOrigins ? box / 4 : box / 2;
  for (const { row, pose } of rows) {
    const farthest = Math.max(Math.abs(pose?.originX ?? 0), Math.abs(pose?.originY ?? 0));
    if (farthest > most)
      throw new RangeError(
        `${path}: data_${tables!.particles.name}, row ${row! + 1}: an origin of ${farthest.toFixed(1)} pixels in images of ${box}, at most ${most} was expected; _rlnOriginX and _rlnOriginY are in pixels: rename them _rlnOriginXAngst and _rlnOriginYAngst if these are Å`,
      );
  }
  if (hasOddOrigins)
    warn(
      `${path}: _rlnOriginX and _rlnOriginY beside data_optics are taken as pixels; RELION 3.1 ignores them`,
    );
}

/** Reads the images of rows in the order of the rows; one file is open at a time. */
async function readRows(
  path: string,
  rows: readonly ParticleRow[],
  { warn }: ReadOptions,
): Promise<{ images: Float32Array; box: number }> {
  let images = new Float32Array();
  let box = 0;
  for (const [stack, members] of Map.groupBy(rows.keys(), (i) => rows[i]!.stack)) {
    const file = await openStack(stack);
    try {
      const [own] = file.header.dimensions;
      if (box === 0) images = new Float32Array(rows.length * own * own);
      else if (own !== box)
        throw new RangeError(`${path}: images of ${box} and ${own} pixels; all of one size were expected`);
      box = own;
      const [, , depth] = file.header.dimensions;
      const far = members.find((member) => rows[member]!.index >= depth);
      if (far !== undefined)
        throw new RangeError(
          `${path}: row ${rows[far]!.row! + 1}, _rlnImageName: image ${rows[far]!.index + 1} was asked for of ${stack}; it has ${depth}`,
        );
      oddities(file).forEach(warn);
      await readMembers(file, members, (member) => rows[member]!.index, images);
    } finally {
      await file.close();
    }
  }
  return { images, box };
}

/** Moves the kept images together. @returns their number */
function keepImages(images: Float32Array, area: number, kept: readonly boolean[]): number {
  let count = 0;
  kept.forEach((isKept, i) => {
    if (isKept) images.copyWithin(count++ * area, i * area, (i + 1) * area);
  });
  return count;
}
