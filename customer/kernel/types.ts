/**
 * The types of kernels, for kernel modules. An `import type` of this module leaves no import in the kernel.
 *
 * @example
 * import type { KernelContext } from "manyhands/kernel";
 * export default async ({ image }: { image: DataReference }, ctx: KernelContext) => (await ctx.data(image)).length;
 *
 * @packageDocumentation
 */
export type { Kernel, KernelContext } from "../../shared/wire/kernel.ts";
export type { NumericArray, Value } from "../../shared/wire/codec.ts";
export type { DataReference } from "../../shared/data-reference.ts";
