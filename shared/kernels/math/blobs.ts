import type { DataReference } from "../../data-reference.ts";
import type { KernelContext } from "../../kernel.ts";
import { fourierVolume, type FourierVolume } from "./fourier-volume.ts";

/**
 * The little-endian 32-bit numbers a data reference stands for.
 * @throws RangeError when there are not `count` of them
 */
export async function readFloats(
  ctx: KernelContext,
  ref: DataReference,
  count: number,
): Promise<Float32Array> {
  const bytes = await ctx.data(ref);
  if (bytes.length !== 4 * count)
    throw new RangeError(
      `the data reference has ${bytes.length} bytes; ${count} 32-bit numbers were expected`,
    );
  // Not `slice`, which in a Buffer of Node would be a view of the same odd offset.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, count);
}

let lastKey = "";
let lastVolume: FourierVolume | undefined;

/**
 * The padded transform of a map. The last one is kept, because a warm worker gets task after task with the same map:
 * making one of box 64 takes as long as aligning dozens of particles.
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
  const volume = fourierVolume(await readFloats(ctx, ref, box ** 3), box);
  lastKey = key;
  lastVolume = volume;
  return volume;
}
