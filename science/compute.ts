import type { DataReference } from "../shared/data-reference.ts";
import type align from "./kernels/align.ts";
import type average from "./kernels/average.ts";
import type insert from "./kernels/insert.ts";
import type project from "./kernels/project.ts";
import type refine from "./kernels/refine.ts";
import type simmx from "./kernels/simmx.ts";

/** A finished task. */
export interface Finished<Output> {
  readonly index: number;
  readonly output: Output;
}

/** Names of the cryo-EM kernels; each is `science/kernels/<name>.ts`. */
export type KernelName = "project" | "align" | "refine" | "insert" | "simmx" | "average";

/**
 * Computing for the cryo-EM programs: by a server with volunteers, or in this process. Outputs arrive in the order in which
 * tasks finish.
 */
export interface Compute {
  /** Makes bytes available to kernels. */
  put(bytes: Uint8Array): Promise<DataReference>;
  /** Runs a kernel over inputs. `onProgress` gets the finished fraction, 0 … 1, with each change. */
  map<K extends KernelName>(
    kernel: K,
    inputs: readonly KernelInput<K>[],
    options: MapOptions,
  ): AsyncIterable<Finished<KernelOutput<K>>>;
  /** Runs a kernel over inputs, at least one, and combines the outputs in the order of {@link combining}, by the kernel module's `combine`. */
  reduce<K extends CombiningKernelName>(
    kernel: K,
    inputs: readonly KernelInput<K>[],
    options: MapOptions,
  ): Promise<KernelOutput<K>>;
}

/**
 * Neighbouring inputs whose outputs a task combines from left to right, and outputs that a further task combines. The outputs are of
 * megabytes: a task has two of them in memory. With one input a task the insertion of 4,000 particles of 96² pixels took 8.9 s on two slots
 * instead of 5.8 s. The same numbers everywhere give the same bits.
 */
export const combining = { perTask: 4, fanIn: 2 } as const;

/** Names of the kernels whose modules export `combine`. */
export type CombiningKernelName = "insert";

/** Options of {@link Compute.map} and {@link Compute.reduce}. */
export interface MapOptions {
  readonly name: string;
  readonly onProgress?: (fraction: number) => void;
  /** Memory that a task needs; absent or smaller than a sandbox's default: the default. */
  readonly memoryMb?: number;
}

interface Kernels {
  project: typeof project;
  align: typeof align;
  refine: typeof refine;
  insert: typeof insert;
  simmx: typeof simmx;
  average: typeof average;
}

/** Input of a kernel. */
export type KernelInput<K extends KernelName> = Parameters<Kernels[K]>[0];
/** Output of a kernel. */
export type KernelOutput<K extends KernelName> = Awaited<ReturnType<Kernels[K]>>;
