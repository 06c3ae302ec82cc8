import type { SandboxFactory } from "../../shared/client/ports.ts";
import { defaultCacheDirectory } from "../cache-directory.ts";
import { startProcessSandbox } from "./process-sandbox.ts";
import { loadRunnerBundle } from "./runner-bundle.ts";

interface ProcessSandboxOptions {
  /** Scheduling priority of the sandboxes, 0 (as the client) … 19 (only what nobody else wants); default 5. */
  readonly niceness?: number;
  /** Where the sandboxes' own code is kept between runs; default: the user's cache directory. */
  readonly cacheDirectory?: string;
}

/**
 * Sandboxes for kernels on Node: one child process each, without permissions, environment, imports or globals that reach
 * anything (SPEC.md [KERNEL-2]). A process that breaks the rules of its channel is killed.
 */
export function createProcessSandboxes(options: ProcessSandboxOptions = {}): SandboxFactory {
  const { niceness = 5, cacheDirectory = defaultCacheDirectory() } = options;
  // Made ready while the client connects; an error is told to whoever wants a sandbox.
  loadRunnerBundle(cacheDirectory).catch(() => undefined);
  return {
    async create(host, { memoryMb }) {
      const code = await loadRunnerBundle(cacheDirectory);
      return startProcessSandbox(host, { code, memoryMb, niceness });
    },
  };
}
