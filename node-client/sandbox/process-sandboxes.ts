import type { SandboxFactory } from "../../shared/client/ports.ts";
import { startProcessSandbox } from "./process-sandbox.ts";

export interface ProcessSandboxOptions {
  /** Scheduling priority of the sandboxes, 0 (as the client) … 19 (only what nobody else wants); default 5. */
  readonly niceness?: number;
}

/**
 * Sandboxes for kernels on Node: one child process each, without permissions, environment, imports or globals that reach
 * anything (DESIGN, "The sandbox"). A process that breaks the rules of its channel is killed.
 */
export function createProcessSandboxes(options: ProcessSandboxOptions = {}): SandboxFactory {
  const niceness = options.niceness ?? 5;
  return { create: (host, { memoryMb }) => startProcessSandbox(host, { memoryMb, niceness }) };
}
