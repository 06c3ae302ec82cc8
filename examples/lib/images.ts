import { access, readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import {
  describeUnusable,
  faultOf,
  type ImageFault,
  type UnusableImage,
} from "../../science/image-quality.ts";
import { oddities, openStack, readMembers } from "../../science/image-stack.ts";
import { named } from "../../science/mrc-file.ts";
import { pixelSizeOf } from "../../science/mrc.ts";
import { readParticleStar, type ParticleRow } from "../../science/particle-star.ts";

/** Images of one size in memory, and what their file says of them. */
export interface ImageSet {
  readonly images: Float32Array;
  readonly count: number;
  /** Pixels a side, even. */
  readonly box: number;
  /** Å. */
  readonly pixelSize: number;
  /** Where each image stands; its `stack` is an absolute path. */
  readonly rows: readonly ParticleRow[];
  /** Images of the files that are not here, because nothing right can be computed with them. */
  readonly leftOut: readonly UnusableImage[];
}

/** How images are read. */
export interface ReadOptions {
  readonly warn: (warning: string) => void;
  /** Pixel size, Å, instead of what the header of a stack says. */
  readonly apix?: number | undefined;
  /** Pixel size, Å, where neither a header nor `apix` says one; absent: that is refused. */
  readonly otherwise?: number;
  /** Images that others count (class n begins with image n): blank ones stay, and none can be left out. */
  readonly counted?: boolean;
}

/**
 * Reads a stack (`.mrcs`, `.mrc`) or the particles of a RELION 3.1 STAR file; of the files only the images that are named.
 * Stacks a STAR file names are looked for from its own directory and from the current one, where RELION means them.
 * Blank images, and those with a pixel that is no number, are left out with a warning that names them.
 * @throws RangeError when images differ in size or are not even squares, when there is no pixel size, or no usable image
 */
export async function readImages(path: string, options: ReadOptions): Promise<ImageSet> {
  const table = extname(path) === ".star" ? await tableOf(path, options) : await rowsOf(path, options);
  const { images, box } = await readRows(path, table.rows, options);
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
  return {
    images: images.subarray(0, count * area),
    count,
    box,
    pixelSize: table.pixelSize,
    rows: table.rows.filter((_, i) => !leave(faults[i])),
    leftOut: options.counted ? [] : unusable,
  };
}

/** What a program says at its end of images that it did not use; empty when it used all. */
export function leftOutSummary({ count, leftOut }: ImageSet): string[] {
  if (leftOut.length === 0) return [];
  const blank = leftOut.filter(({ fault }) => fault === "blank").length;
  const reasons = [
    ...(blank < leftOut.length ? [`${leftOut.length - blank} with a pixel that is NaN or infinite`] : []),
    ...(blank > 0 ? [`${blank} blank`] : []),
  ];
  return [`left out: ${leftOut.length} of ${count + leftOut.length} images (${reasons.join(", ")})`];
}

interface Table {
  /** With absolute paths of stacks. */
  readonly rows: readonly ParticleRow[];
  readonly pixelSize: number;
}

async function tableOf(path: string, { apix }: ReadOptions): Promise<Table> {
  const { rows, pixelSize } = readParticleStar(await readFile(path, "utf8"));
  if (apix !== undefined && Math.abs(apix - pixelSize) > 1e-3 * apix)
    throw new RangeError(
      `${path}: pixels of ${pixelSize} Å, and --apix ${apix}; its origins are in Å, so change the file or leave --apix out`,
    );
  const names = new Set(rows.map(({ stack }) => stack));
  const paths = new Map<string, string>();
  for (const name of names) paths.set(name, await findStack(path, name));
  return { rows: rows.map((row) => ({ ...row, stack: paths.get(row.stack)! })), pixelSize };
}

async function findStack(star: string, name: string): Promise<string> {
  const beside = resolve(dirname(star), name);
  return access(beside).then(
    () => beside,
    () => resolve(name),
  );
}

/** Every image of a stack. */
async function rowsOf(path: string, { apix, otherwise }: ReadOptions): Promise<Table> {
  const stack = resolve(path);
  const file = await openStack(stack);
  await file.close();
  const pixelSize = apix ?? named(path, () => pixelSizeOf(file.header)) ?? otherwise;
  if (pixelSize === undefined)
    throw new RangeError(`${path}: no pixel size in the header (CELLA, MX, MY); give it with --apix <Å>`);
  const pose = { rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 };
  const rows = Array.from({ length: file.header.dimensions[2] }, (_, index) => ({ index, stack, pose }));
  return { rows, pixelSize };
}

/** The images of rows, each where its row stands; files are open one at a time. */
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
      oddities(file).forEach(warn);
      await readMembers(file, members, (member) => rows[member]!.index, images);
    } finally {
      await file.close();
    }
  }
  return { images, box };
}

/** Moves the images that are kept together. @returns how many these are */
function keepImages(images: Float32Array, area: number, kept: readonly boolean[]): number {
  let count = 0;
  kept.forEach((isKept, i) => {
    if (isKept) images.copyWithin(count++ * area, i * area, (i + 1) * area);
  });
  return count;
}
