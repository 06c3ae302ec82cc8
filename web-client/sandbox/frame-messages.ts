import type { SandboxHost } from "../../shared/client/ports.ts";
import type { KernelRunner } from "../../shared/client/sandbox/runner.ts";

/** The first message from the page to the sandbox frame, with the control port. */
export interface Greeting {
  /** Source of a function that makes the common code (build/common-code.ts). */
  readonly commonCode: string;
}

/** Page → sandbox frame, over the control port. `spawn` carries the worker's own port. */
export type ToFrame =
  /** `webgpu`: the code that gives kernels WebGPU (sandbox/webgpu.ts). */
  | {
      readonly type: "spawn";
      readonly id: number;
      readonly memoryMb: number;
      readonly webgpu?: string | undefined;
    }
  | { readonly type: "terminate"; readonly id: number }
  | { readonly type: "ping"; readonly count: number };

/** Sandbox frame → page, over the control port. */
export type FromFrame =
  | { readonly type: "ready" }
  /** A worker could not start, or had an uncaught error. */
  | { readonly type: "died"; readonly id: number; readonly reason: string }
  | { readonly type: "pong"; readonly count: number };

/**
 * First message of a worker: its globals are removed, and kernels may come. The only other message that is not comlink's is a number: the
 * MiB that a kernel holds when they are more than its `memoryMb`.
 */
export const workerReady = "manyhands:ready";

/** The page, as a worker calls it. */
export interface ExposedHost extends Pick<SandboxHost, "put" | "report"> {
  /** A whole blob may come as a handle. */
  data(...[name, range]: Parameters<SandboxHost["data"]>): Promise<Uint8Array | Blob>;
}

/** The runner of a worker, as the page calls it. */
export interface WorkerRunner extends KernelRunner {
  /** @param portableCode - a module that makes the realm portable, imported before the kernel */
  load(kernelSha256: string, source: Uint8Array, portableCode?: string): Promise<void>;
}
