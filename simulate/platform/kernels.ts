import { moduleOfFunction } from "../../customer/kernel/function-source.ts";
import type { Value } from "../../shared/wire/codec.ts";

/** A kernel of the world: the function that its customers submit, which also computes the true output. */
export interface SimulatedKernel {
  readonly given: (input: number) => Value;
  /** Median run time. */
  readonly medianMs: number;
  /** Steps after each of which the kernel tells its progress and leaves a checkpoint. */
  readonly steps: number;
}

export const kernels = {
  square: { given: (input) => ({ square: input * input }), medianMs: 4, steps: 0 },
  slow: { given: (input) => [input, -input, `slow ${input}`], medianMs: 500, steps: 3 },
  picky: {
    given: (input) => {
      if (input % 7 === 3) throw new RangeError(`no place for ${input}`);
      return input + 0.5;
    },
    medianMs: 30,
    steps: 0,
  },
} satisfies Record<string, SimulatedKernel>;

export type KernelName = keyof typeof kernels;
export const kernelNames = Object.keys(kernels) as KernelName[];

const modules = new Map(
  Object.values<SimulatedKernel>(kernels).map((kernel) => [moduleOfFunction(kernel.given), kernel]),
);

/** The kernel of a module that travelled. */
export function kernelOf(source: Uint8Array): SimulatedKernel {
  const kernel = modules.get(Buffer.from(source).toString());
  if (!kernel) throw new Error("the bytes of this kernel are of no kernel of this world");
  return kernel;
}

/** The true output of a task; undefined where the kernel throws. */
export function truth(kernel: SimulatedKernel, input: number): Value | undefined {
  try {
    return kernel.given(input);
  } catch {
    return undefined;
  }
}
