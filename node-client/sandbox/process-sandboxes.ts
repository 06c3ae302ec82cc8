import type { SandboxFactory } from "../../shared/client/ports.ts";
import { defaultCacheDirectory } from "../cache-directory.ts";
import type { LinkedCache } from "./linked-files.ts";
import { startProcessSandbox, stopsIdle } from "./process-sandbox.ts";
import { loadRunnerBundle } from "./runner-bundle.ts";

/**
 * An idle process is ended after this time, because it keeps the memory of its kernel, and where it cannot be stopped at once. A new one
 * takes about 0.1 s.
 */
const idleMs = stopsIdle ? 60_000 : 1000;

/** Scheduling priority of what customers let run. */
export const defaultNiceness = 5;

interface ProcessSandboxOptions {
  /** Scheduling priority of the sandboxes, 0 (as the client) … 19 (only idle time); default 5. */
  readonly niceness?: number;
  /** Directory that keeps the sandboxes' own code between runs; default: the user's cache directory. */
  readonly cacheDirectory?: string;
  /** Cache whose files sandboxes read themselves; absent: all bytes cross on their pipes. */
  readonly cache?: LinkedCache;
}

/**
 * Sandboxes for kernels on Node: a child process for each, without environment, imports or globals that give access to anything, and
 * with the permission to read a directory of its own at most (SPEC.md [KERNEL-2], [KERNEL-11]). A process that breaks the rules of its channel is killed.
 */
export function createProcessSandboxes(options: ProcessSandboxOptions = {}): SandboxFactory {
  const { niceness = defaultNiceness, cacheDirectory = defaultCacheDirectory(), cache } = options;
  // The bundle is made while the client connects; the start of a sandbox reports an error.
  loadRunnerBundle(cacheDirectory).catch(() => undefined);
  return {
    idleMs,
    async create(host, { memoryMb }) {
      const code = await loadRunnerBundle(cacheDirectory);
      return startProcessSandbox(host, { code, memoryMb, niceness, cache });
    },
  };
}
