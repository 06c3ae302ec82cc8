import type { KernelContext } from "../../shared/wire/kernel.ts";

/**
 * A kernel written in place: one input in, one output out, sync or async. It travels as its source text, so it sees its
 * two arguments and the standard library of the language, and nothing else of the program around it.
 */
export type KernelFunction<Input, Output> = (input: Input, ctx: KernelContext) => Output | Promise<Output>;

/** A kernel in a module of its own, bundled with what it imports when a job is submitted. Made by {@link kernelModule}. */
export interface KernelModule<Input, Output> {
  readonly url: URL;
  /** Carries the types from the kernel to the job; never set. */
  readonly types?: (input: Input) => Output;
}

/** The {@link KernelModule} type of a kernel, or of the namespace of the module whose default export it is. */
export type KernelModuleOf<Kernel> = Kernel extends { default: infer Exported }
  ? KernelModuleOf<Exported>
  : Kernel extends (input: infer Input, ctx: KernelContext) => infer Output
    ? KernelModule<Input, Awaited<Output>>
    : never;

/**
 * Names a kernel module, with its types.
 *
 * @example
 * import type blur from "./kernels/blur.ts"; // the type alone: the module is not loaded here
 * kernelModule<typeof blur>(new URL("./kernels/blur.ts", import.meta.url));
 * // or, without a name: kernelModule<typeof import("./kernels/blur.ts")>(…)
 *
 * Its default export is the kernel. TypeScript, JSON, `.wasm` (as bytes) and npm packages can be imported; Node's own
 * modules cannot, because a kernel runs in browsers too.
 */
export function kernelModule<Kernel>(url: URL | string): KernelModuleOf<Kernel> {
  return { url: new URL(url) } as KernelModuleOf<Kernel>;
}
