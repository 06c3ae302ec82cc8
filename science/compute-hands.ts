import { bundleKernel } from "../customer/kernel/bundle.ts";
import {
  kernelModule,
  type Hands,
  type Job,
  type KernelModule,
  type Progress,
  type Reduction,
} from "../customer/index.ts";
import { encodeValue, type Value } from "../shared/wire/codec.ts";
import { sha256Hex } from "../shared/hash.ts";
import { moduleBeside } from "../system/module-beside.ts";
import type * as align from "./kernels/align.ts";
import type * as average from "./kernels/average.ts";
import type * as insert from "./kernels/insert.ts";
import type * as project from "./kernels/project.ts";
import type * as refine from "./kernels/refine.ts";
import type * as simmx from "./kernels/simmx.ts";
import { jobDefaults } from "../shared/limits.ts";
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

const kernelUrl = (name: KernelName): URL => moduleBeside(import.meta.url, `kernels/${name}`);

const kernels = {
  project: kernelModule<typeof project>(kernelUrl("project")),
  align: kernelModule<typeof align>(kernelUrl("align")),
  refine: kernelModule<typeof refine>(kernelUrl("refine")),
  insert: kernelModule<typeof insert>(kernelUrl("insert")),
  simmx: kernelModule<typeof simmx>(kernelUrl("simmx")),
  average: kernelModule<typeof average>(kernelUrl("average")),
};

interface ComputeOnHandsOptions {
  /** Name of the program; job names are made of it and the stage. */
  readonly name: string;
  /** Aborting cancels the running job. */
  readonly signal?: AbortSignal;
  /**
   * Job keys are made of kernel and inputs, so that a program that was killed and runs again goes on with its jobs, and retries
   * their failed tasks.
   */
  readonly resumable?: boolean;
  /** Called when no client has the memory for a job, which then waits for such a client. */
  readonly warn?: (warning: string) => void;
}

/** Runs kernels on the clients of a server. */
export function computeOnHands(
  hands: Hands,
  { name: program, signal, resumable = false, warn }: ComputeOnHandsOptions,
): Compute & { readonly tasks: number } {
  let tasks = 0;
  return {
    get tasks() {
      return tasks;
    },
    put: (bytes) => hands.put(bytes, signal && { signal }),
    async *map<K extends KernelName>(
      kernel: K,
      inputs: readonly KernelInput<K>[],
      { name: stage, onProgress, memoryMb = 0 }: MapOptions,
    ): AsyncGenerator<Finished<KernelOutput<K>>> {
      const options = await optionsOf(stage, memoryMb);
      const start = (key?: string): Job<KernelOutput<K>> =>
        hands.map(moduleOf(kernel), inputs, { ...options, ...(key !== undefined && { key }) });
      const { job } = resumable ? await goOn(start, await keyOf(program, kernel, inputs)) : { job: start() };
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
    async reduce<K extends CombiningKernelName>(
      kernel: K,
      inputs: readonly KernelInput<K>[],
      { name: stage, onProgress, memoryMb = 0 }: MapOptions,
    ): Promise<KernelOutput<K>> {
      const options = {
        ...(await optionsOf(stage, memoryMb)),
        ...combining,
        ...(onProgress && { onProgress: ({ fraction }: Progress) => onProgress(fraction) }),
      };
      const start = (key?: string): Reduction<KernelOutput<K>> =>
        hands.reduce(moduleOf(kernel), inputs, { ...options, ...(key !== undefined && { key }) });
      const key = resumable ? await keyOf(program, kernel, inputs) : undefined;
      const { reduction } =
        key === undefined ? { reduction: start() } : await goOnReducing(hands, start, `${key}-sum`);
      const output = await reduction;
      tasks += inputs.length;
      return output;
    },
  };

  async function optionsOf(stage: string, memoryMb: number) {
    if (memoryMb > jobDefaults.memoryMb) await warnOfMemory(hands, stage, memoryMb, warn);
    // A client with less memory a slot would lose its sandbox again and again.
    const memory = memoryMb > jobDefaults.memoryMb && { memoryMb, requires: { memoryMb } };
    return { name: `${program}: ${stage}`, ...memory, ...(signal && { signal }) };
  }
}

/** The table maps each name to its own kernel, a relation that TypeScript cannot follow through K. */
function moduleOf<K extends KernelName>(kernel: K): KernelModule<KernelInput<K>, KernelOutput<K>> {
  return kernels[kernel] as unknown as KernelModule<KernelInput<K>, KernelOutput<K>>;
}

async function warnOfMemory(
  hands: Hands,
  stage: string,
  memoryMb: number,
  warn: ComputeOnHandsOptions["warn"],
): Promise<void> {
  const connected = (await hands.clients()).filter((client) => client.connected);
  const slots = connected.map((client) => client.memoryMb);
  if (slots.length === 0 || slots.some((slot) => slot >= memoryMb)) return;
  warn?.(
    `${stage}: a task takes ${memoryMb} MiB, and no client has as much a slot (at most ${Math.max(...slots)}); it waits for one that has`,
  );
}

/** A key made of all that the outputs depend on. */
async function keyOf(program: string, kernel: KernelName, inputs: readonly unknown[]): Promise<string> {
  const { source } = await bundleKernel(kernelUrl(kernel));
  return `${program}-${sha256Hex(encodeValue([source, inputs as Value]))}`;
}

/**
 * The job of a key, ready to be read. A cancelled job never goes on, so it is made anew. The job is wrapped in an object,
 * because awaiting a job itself waits for its outputs.
 */
async function goOn<Output>(
  start: (key: string) => Job<Output>,
  key: string,
): Promise<{ readonly job: Job<Output> }> {
  const job = start(key);
  const { state, counts } = await job.status();
  if (state === "cancelled" || state === "quarantined") {
    await job.delete();
    return { job: start(key) };
  }
  if (counts.failed > 0) await job.requeueFailed();
  return { job };
}

/** The reduction of a key, as {@link goOn} does it for a job. */
async function goOnReducing<Output>(
  hands: Hands,
  start: (key: string) => Reduction<Output>,
  key: string,
): Promise<{ readonly reduction: Reduction<Output> }> {
  const reduction = start(key);
  const jobs = (await reduction.jobIds()).map((id) => hands.job(id));
  const states = await Promise.all(jobs.map(async (job) => (await job.status()).state));
  if (states.some((state) => state === "cancelled" || state === "quarantined")) {
    for (const job of jobs) await job.delete();
    return { reduction: start(key) };
  }
  await reduction.requeueFailed();
  return { reduction };
}
