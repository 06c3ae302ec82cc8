import type { KernelContext } from "../../../shared/wire/kernel.ts";

/** A kernel whose types a job takes over. */
export default function mean(input: { values: Float64Array; label: string }, ctx: KernelContext) {
  ctx.log("mean of", input.values.length);
  const sum = input.values.reduce((total, value) => total + value, 0);
  return { label: input.label, mean: sum / input.values.length, index: ctx.index };
}
