import type { KernelContext } from "../../../shared/wire/kernel.ts";

export default function weighted(
  value: number,
  weight: number,
  ctx: KernelContext,
): { product: number; index: number } {
  return { product: value * weight, index: ctx.index };
}
