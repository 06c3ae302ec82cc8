import type { DataReference } from "../../../shared/data-reference.ts";
import type { KernelContext } from "../../../shared/wire/kernel.ts";
import { checkBox } from "./checks.ts";
import { fourierVolume, type FourierVolume } from "./fourier-volume.ts";

/**
 * Images of `box`² pixels, an array for each reference.
 * @param name - the word for such an image in errors
 * @throws RangeError when the bytes are not whole images, or a pixel is no finite number
 */
export async function readStacks(
  ctx: KernelContext,
  refs: readonly DataReference[],
  box: number,
  name = "particle",
): Promise<Float32Array[]> {
  checkBox(box);
  const area = box * box;
  const counts = refs.map(({ length }) => length / (4 * area));
  const cut = counts.findIndex((count) => !(Number.isInteger(count) && count > 0));
  if (cut >= 0 || refs.length === 0)
    throw new RangeError(
      `${refs[cut]?.length ?? 0} bytes; ${name}s of ${box} × ${box} 32-bit pixels were expected`,
    );
  const stacks = await Promise.all(refs.map((ref, i) => readFloats(ctx, ref, counts[i]! * area)));
  let before = 0;
  for (const images of stacks) {
    const wrong = firstNotFinite(images);
    if (wrong >= 0)
      throw new RangeError(
        `${name} ${before + Math.floor(wrong / area) + 1} of ${counts.reduce((sum, count) => sum + count)} has a pixel of ${images[wrong]}; finite ones were expected`,
      );
    before += images.length / area;
  }
  return stacks;
}

/** The images of {@link readStacks} in one array. */
export async function readImages(
  ctx: KernelContext,
  refs: readonly DataReference[],
  box: number,
  name?: string,
): Promise<Float32Array> {
  const stacks = await readStacks(ctx, refs, box, name);
  if (stacks.length === 1) return stacks[0]!;
  const images = new Float32Array(stacks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const stack of stacks) {
    images.set(stack, at);
    at += stack.length;
  }
  return images;
}

/** Position of the first number that is not finite, or −1. */
function firstNotFinite(numbers: Float32Array): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}

/**
 * The little-endian 32-bit numbers of a data reference.
 * @throws RangeError when their number is not `count`
 */
async function readFloats(ctx: KernelContext, ref: DataReference, count: number): Promise<Float32Array> {
  const bytes = await ctx.data(ref);
  if (bytes.length !== 4 * count)
    throw new RangeError(
      `the data reference has ${bytes.length} bytes; ${count} 32-bit numbers were expected`,
    );
  // A constructor copies, but `slice` of Node's Buffer would be a view of the same odd offset.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, count);
}

let lastKey = "";
let lastVolume: FourierVolume | undefined;

/**
 * The padded transform of a map. The last transform is kept, because a warm worker gets many tasks with the same map: a
 * transform of box 64 takes as long as aligning dozens of particles.
 */
export async function readFourierVolume(
  ctx: KernelContext,
  ref: DataReference,
  box: number,
): Promise<FourierVolume> {
  const key = `${ref.sha256} ${ref.range?.join() ?? ""} ${box}`;
  if (lastVolume && lastKey === key) {
    lastVolume.engine.release(lastVolume.top);
    return lastVolume;
  }
  checkBox(box);
  const map = await readFloats(ctx, ref, box ** 3);
  const wrong = firstNotFinite(map);
  if (wrong >= 0) throw new RangeError(`the map has a density of ${map[wrong]}; finite ones were expected`);
  const volume = fourierVolume(map, box);
  lastKey = key;
  lastVolume = volume;
  return volume;
}
