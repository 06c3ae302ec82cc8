import type { DataReference } from "../shared/data-reference.ts";
import type align from "./kernels/align.ts";
import type average from "./kernels/average.ts";
import type insert from "./kernels/insert.ts";
import type project from "./kernels/project.ts";
import type refine from "./kernels/refine.ts";
import type simmx from "./kernels/simmx.ts";

/** One finished task. */
export interface Finished<Output> {
  readonly index: number;
  readonly output: Output;
}

/** The kernels of cryo-EM; each is `science/kernels/<name>.ts`. */
export type KernelName = "project" | "align" | "refine" | "insert" | "simmx" | "average";

/**
 * What the cryo-EM programs need from whatever computes for it: a server with volunteers, or this process. Outputs arrive
 * in the order in which tasks finish.
 */
export interface Compute {
  /** Makes bytes available to kernels. */
  put(bytes: Uint8Array): Promise<DataReference>;
  /** Runs a kernel over inputs. `onProgress` is told the fraction done, 0 … 1, as often as it changes. */
  map<K extends KernelName>(
    kernel: K,
    inputs: readonly KernelInput<K>[],
    options: MapOptions,
  ): AsyncIterable<Finished<KernelOutput<K>>>;
}

/** How a kernel is run. */
export interface MapOptions {
  readonly name: string;
  readonly onProgress?: (fraction: number) => void;
  /** What a task takes; absent, or less than every sandbox has: that. */
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

/** What a kernel takes. */
export type KernelInput<K extends KernelName> = Parameters<Kernels[K]>[0];
/** What a kernel gives. */
export type KernelOutput<K extends KernelName> = Awaited<ReturnType<Kernels[K]>>;
