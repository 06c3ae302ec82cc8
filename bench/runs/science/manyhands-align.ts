/** `node manyhands-align.ts [--tasks 40]`: milliseconds a task of the alignment kernel, bundled as it travels, in this thread. */
import { parseArgs } from "node:util";
import { bundleKernel } from "../../../customer/kernel/bundle.ts";
import { bytesOf } from "../../../science/stacks.ts";
import type align from "../../../science/kernels/align.ts";
import { DataReference } from "../../../shared/data-reference.ts";
import { sha256Hex } from "../../../shared/hash.ts";
import type { KernelContext } from "../../../shared/wire/kernel.ts";
import { unpackCandidates, type Candidate } from "../../../science/kernels/math/candidates.ts";
import { median } from "../../harness/statistics.ts";
import { report } from "../support/report.ts";
import { makeAlignTask, type AlignTask } from "./align-task.ts";

/** Every reference's match of each particle, in the order of references. */
export async function alignByKernel(
  task: AlignTask,
  tasks: number,
): Promise<{ ms: number[]; matches: Candidate[][] }> {
  const { source } = await bundleKernel(new URL("../../../science/kernels/align.ts", import.meta.url));
  const url = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
  const { default: kernel } = (await import(url)) as { default: typeof align };
  const blobs = new Map(
    [task.particles, task.references].map((part) => [sha256Hex(bytesOf(part)), bytesOf(part)]),
  );
  const [particles, references] = [...blobs].map(([name, bytes]) => new DataReference(name, bytes.length));
  const keep = task.views.length / 2;
  const input = { ...task, particles: [particles!], references: [references!], firstReference: 0, keep };
  const ctx = {
    data: (ref) => Promise.resolve(blobs.get(ref.sha256)!.slice()),
    progress: () => undefined,
  } satisfies Partial<KernelContext> as unknown as KernelContext;
  const ms: number[] = [];
  let output = new Float64Array();
  for (let i = 0; i < tasks; i++) {
    const start = performance.now();
    output = (await kernel(input, ctx)) as Float64Array<ArrayBuffer>;
    ms.push(performance.now() - start);
  }
  const matches = unpackCandidates(output, keep);
  for (const list of matches) list.sort((a, b) => a.reference - b.reference);
  return { ms, matches };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { tasks: { type: "string", default: "40" } } });
  const { ms } = await alignByKernel(await makeAlignTask(), Number(values.tasks));
  // The first half warms the worker up, and is not counted.
  report(median(ms.slice(ms.length / 2)), { firstMs: ms[0]! });
}
