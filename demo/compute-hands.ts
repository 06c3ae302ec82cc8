import { kernelModule, type Hands } from "../customer/index.ts";
import type { Compute, Finished, KernelInput, KernelName, KernelOutput } from "../science/compute.ts";
import type * as align from "../shared/kernels/align.ts";
import type * as insert from "../shared/kernels/insert.ts";
import type * as project from "../shared/kernels/project.ts";
import type * as refine from "../shared/kernels/refine.ts";

const kernelUrl = (name: KernelName): URL => new URL(`../shared/kernels/${name}.ts`, import.meta.url);

const kernels = {
  project: kernelModule<typeof project>(kernelUrl("project")),
  align: kernelModule<typeof align>(kernelUrl("align")),
  refine: kernelModule<typeof refine>(kernelUrl("refine")),
  insert: kernelModule<typeof insert>(kernelUrl("insert")),
};

/** Runs kernels on the clients of a server. Aborting `signal` cancels the job that runs. */
export function computeOnHands(hands: Hands, signal: AbortSignal): Compute & { readonly tasks: number } {
  let tasks = 0;
  return {
    get tasks() {
      return tasks;
    },
    put: (bytes) => hands.put(bytes, { signal }),
    async *map<K extends KernelName>(
      kernel: K,
      inputs: readonly KernelInput<K>[],
      { name, onProgress }: { name: string; onProgress?: (fraction: number) => void },
    ): AsyncGenerator<Finished<KernelOutput<K>>> {
      // The table gives each name its own kernel, which TypeScript cannot follow through K.
      const module = kernels[kernel] as unknown as Parameters<
        typeof hands.map<KernelInput<K>, KernelOutput<K>>
      >[0];
      const job = hands.map(module, inputs, { name: `demo: ${name}`, signal });
      let done = 0;
      for await (const { index, output, error } of job) {
        if (error) {
          await job.cancel();
          throw error;
        }
        tasks++;
        onProgress?.(++done / inputs.length);
        yield { index, output };
      }
    },
  };
}
