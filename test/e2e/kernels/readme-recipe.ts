import type { DataReference, KernelContext } from "../../../customer/index.ts";

/** The sum of an image's pixels, read with the README's recipe and with its earlier form. */
export default async function sums(
  { image }: { image: DataReference },
  ctx: KernelContext,
): Promise<number[]> {
  const pixels = new Float32Array((await ctx.data(image)).buffer);
  const sliced = new Float32Array((await ctx.data(image)).slice().buffer);
  const copied = new Float32Array(new Uint8Array(await ctx.data(image)).buffer);
  return [pixels, sliced, copied].map((numbers) => numbers.reduce((sum, pixel) => sum + pixel, 0));
}
