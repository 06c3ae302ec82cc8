import type { Client } from "../../shared/client/client.ts";
import type { RunnerReport, SandboxFactory } from "../../shared/client/ports.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { hashBytes } from "./hash-bytes.ts";
import { webGpu } from "./webgpu-state.ts";

/** A kernel that asks for a device as any other does. */
const asking = `export default async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  (await adapter?.requestDevice())?.destroy();
  return Boolean(adapter);
};`;
const askedMs = 30_000;
/** `null` and `true` in MessagePack. */
const nil = 0xc0;
const yes = 0xc3;

let looking: ReturnType<typeof look> | undefined;

/**
 * Finds out whether kernels have WebGPU here, by one that asks for it in a sandbox, and tells the client (SPEC.md [GPU-2]). Calls at the
 * same time share the answer.
 */
export async function lookForWebGpu(sandboxes: SandboxFactory, client: Client): Promise<void> {
  looking ??= look(sandboxes);
  webGpu.missing = await looking;
  looking = undefined;
  client.setWebGpu(webGpu.missing === undefined);
}

async function look(sandboxes: SandboxFactory): Promise<(typeof webGpu)["missing"]> {
  if (!isSecureContext) return "insecure";
  if (!("gpu" in navigator)) return "missing";
  try {
    return (await asks(sandboxes)) ? undefined : "adapter";
  } catch {
    // Kernels do not run in such a sandbox, in WebKit of 2026, or the device was refused.
    return "sandbox";
  }
}

async function asks(sandboxes: SandboxFactory): Promise<boolean> {
  let answer: number | undefined;
  const nothing = () => Promise.reject(new Error("The kernel has no data."));
  const host = {
    data: nothing,
    put: nothing,
    report({ finished }: RunnerReport) {
      if (finished) [answer] = finished.bytes;
    },
  };
  const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: 64, webgpu: true });
  const timer = setTimeout(() => sandbox.terminate(), askedMs);
  try {
    const source = new TextEncoder().encode(asking);
    const kernelSha256 = await hashBytes(source);
    await sandbox.load(kernelSha256, source);
    const tasks = packTasks([{ index: 0, attempt: 1, input: Uint8Array.of(nil) }]);
    await sandbox.run({ kernelSha256, seed: "", tasks });
    return answer === yes;
  } finally {
    clearTimeout(timer);
    sandbox.terminate();
  }
}
