import type { KernelContext } from "../../shared/wire/kernel.ts";

/**
 * An inline kernel: one input, one output, sync or async. It travels as its source text, so it has its two arguments and the
 * standard library of the language, but not the program around it.
 */
export type KernelFunction<Input, Output> = (input: Input, ctx: KernelContext) => Output | Promise<Output>;

/** A kernel in a module of its own, which is bundled with its imports at submission. Made by {@link kernelModule}. */
export interface KernelModule<Input, Output> {
  readonly url: URL;
  /** Carries the types of the kernel to the job; never set. */
  readonly types?: (input: Input) => Output;
}

/** The {@link KernelModule} type of a kernel, or of a module namespace whose default export is a kernel. */
export type KernelModuleOf<Kernel> = Kernel extends { default: infer Exported }
  ? KernelModuleOf<Exported>
  : Kernel extends (input: infer Input, ctx: KernelContext) => infer Output
    ? KernelModule<Input, Awaited<Output>>
    : never;

/**
 * Names a kernel module, with its types.
 *
 * @example
 * import type blur from "./kernels/blur.ts"; // the type only: the module is not loaded here
 * kernelModule<typeof blur>(new URL("./kernels/blur.ts", import.meta.url));
 * // or, without a name: kernelModule<typeof import("./kernels/blur.ts")>(…)
 *
 * The module's default export is the kernel. It can import TypeScript, JSON, `.wasm` (as bytes) and npm packages, but not
 * Node's own modules, because a kernel runs in browsers too.
 */
export function kernelModule<Kernel>(url: URL | string): KernelModuleOf<Kernel> {
  return { url: new URL(url) } as KernelModuleOf<Kernel>;
}
