import { DataReference } from "../shared/data-reference.ts";
import { sha256Hex } from "../shared/hash.ts";
import type { KernelContext } from "../shared/wire/kernel.ts";
import { seededRandom } from "../shared/random.ts";
import {
  combining,
  type CombiningKernelName,
  type Compute,
  type Finished,
  type KernelInput,
  type KernelName,
  type KernelOutput,
  type MapOptions,
} from "./compute.ts";

/** Runs kernels one after the other in this process, so that programs work without a server. */
export function computeHere(): Compute {
  const blobs = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): Promise<DataReference> => {
    const name = sha256Hex(bytes);
    blobs.set(name, bytes);
    return Promise.resolve(new DataReference(name, bytes.length));
  };
  const data = (ref: DataReference): Promise<Uint8Array> => {
    const bytes = blobs.get(ref.sha256);
    if (!bytes) return Promise.reject(new Error(`no blob ${ref.sha256}`));
    return Promise.resolve(bytes.slice(...(ref.range ?? [0, bytes.length])));
  };
  return { put, map, reduce };

  async function* map<K extends KernelName>(
    kernel: K,
    inputs: readonly KernelInput<K>[],
    { onProgress }: MapOptions,
  ): AsyncGenerator<Finished<KernelOutput<K>>> {
    const module = (await import(`./kernels/${kernel}.ts`)) as {
      default: (input: KernelInput<K>, ctx: KernelContext) => Promise<KernelOutput<K>>;
    };
    for (const [index, input] of inputs.entries()) {
      const ctx: KernelContext = {
        data,
        put,
        command: () => Promise.reject(new Error("No command can be run here.")),
        progress: (fraction) => onProgress?.((index + fraction) / inputs.length),
        checkpoint: () => {},
        resume: undefined,
        signal: new AbortController().signal,
        random: seededRandom(`0/${index}`),
        log: () => {},
        show: () => {},
        index,
        attempt: 1,
      };
      yield { index, output: await module.default(input, ctx) };
    }
  }

  async function reduce<K extends CombiningKernelName>(
    kernel: K,
    inputs: readonly KernelInput<K>[],
    options: MapOptions,
  ): Promise<KernelOutput<K>> {
    const { combine } = (await import(`./kernels/${kernel}.ts`)) as {
      combine: (a: KernelOutput<K>, b: KernelOutput<K>) => KernelOutput<K>;
    };
    const combined = (outputs: readonly KernelOutput<K>[], count: number): KernelOutput<K>[] =>
      outputs.flatMap((_, i) => (i % count === 0 ? [outputs.slice(i, i + count).reduce(combine)] : []));
    const all: KernelOutput<K>[] = [];
    for await (const { output } of map(kernel, inputs, options)) all.push(output);
    let outputs = combined(all, combining.perTask);
    while (outputs.length > 1) outputs = combined(outputs, combining.fanIn);
    return outputs[0]!;
  }
}
