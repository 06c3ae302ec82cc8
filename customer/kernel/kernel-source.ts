import type { KernelContext } from "../../shared/wire/kernel.ts";

/**
 * An inline kernel: one input, one output, sync or async. It travels as its source text, so it has its two arguments and the
 * standard library of the language, but not the program around it.
 */
export type KernelFunction<Input, Output> = (input: Input, ctx: KernelContext) => Output | Promise<Output>;

/**
 * An inline kernel of several arguments, for `hands.starmap` and `hands.submit`. The kernel's last parameter is `ctx`, behind the
 * arguments of the task.
 */
export type ArgumentsKernel<Args extends readonly unknown[]> = (...args: [...Args, KernelContext]) => unknown;

/** The output of a kernel function. */
export type OutputOf<Kernel extends (...args: never[]) => unknown> = Awaited<ReturnType<Kernel>>;

/**
 * A kernel in a module of its own, which is bundled with its imports at submission. Made by {@link kernelModule}. `Args` are the
 * parameters of the kernel before `ctx`.
 */
export interface KernelModule<Input, Output, Args extends readonly unknown[] = readonly [Input]> {
  readonly url: URL;
  /** Carries the types of the kernel to the job; never set. */
  readonly types?: (...args: Args) => Output;
}

/** Every kind of kernel. */
export type AnyKernel = ((...args: never[]) => unknown) | KernelModule<never, unknown, never> | string | URL;

/** The {@link KernelModule} type of a kernel, or of a module namespace whose default export is a kernel. */
export type KernelModuleOf<Kernel> = Kernel extends { default: infer Exported }
  ? KernelModuleOf<Exported>
  : Kernel extends (input: infer Input, ctx: KernelContext) => infer Output
    ? KernelModule<Input, Awaited<Output>>
    : Kernel extends (...args: [...infer Args, KernelContext]) => infer Output
      ? KernelModule<never, Awaited<Output>, Args>
      : Kernel extends (...args: infer Args) => infer Output
        ? KernelModule<never, Awaited<Output>, Args>
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
