import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { readMrc, voxelSize } from "../../science/mrc.ts";
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
}

/**
 * Reads a stack (`.mrcs`, `.mrc`) or the particles of a RELION 3.1 STAR file. Stacks a STAR file names are looked for from
 * its own directory and from the current one, where RELION means them.
 * @throws RangeError when images differ in size or are not even squares
 */
export async function readImages(path: string): Promise<ImageSet> {
  if (extname(path) !== ".star") return readStack(resolve(path));
  const table = readParticleStar(await readFile(path, "utf8"));
  const stacks = new Map<string, ImageSet>();
  for (const { stack } of table.rows)
    if (!stacks.has(stack)) stacks.set(stack, await firstOf([resolve(dirname(path), stack), resolve(stack)]));
  const boxes = new Set([...stacks.values()].map(({ box }) => box));
  const [box] = boxes;
  if (box === undefined || boxes.size > 1)
    throw new RangeError(
      `${path}: images of ${[...boxes].join(", ") || "no"} pixels; all of one size were expected`,
    );
  const images = new Float32Array(table.rows.length * box * box);
  const rows = table.rows.map((row, i) => {
    const stack = stacks.get(row.stack)!;
    if (row.index >= stack.count)
      throw new RangeError(`${path}: image ${row.index + 1} of ${row.stack}, which has ${stack.count}`);
    images.set(stack.images.subarray(row.index * box * box, (row.index + 1) * box * box), i * box * box);
    return { ...row, stack: stack.rows[0]!.stack };
  });
  return { images, count: rows.length, box, pixelSize: table.pixelSize, rows };
}

async function firstOf([first, second]: [string, string]): Promise<ImageSet> {
  try {
    return await readStack(first);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return readStack(second);
  }
}

async function readStack(path: string): Promise<ImageSet> {
  const mrc = readMrc(await readFile(path));
  const [box, height, count] = mrc.header.dimensions;
  if (box !== height || box % 2)
    throw new RangeError(`${path}: images of ${box} × ${height} pixels; even squares were expected`);
  const pose = { rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 };
  const rows = Array.from({ length: count }, (_, index) => ({ index, stack: path, pose }));
  return { images: mrc.data, count, box, pixelSize: voxelSize(mrc.header)[0], rows };
}
