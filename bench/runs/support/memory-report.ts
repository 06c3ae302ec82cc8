import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryDirectory } from "./children.ts";

/** Memory of a process after a collection of its garbage, in bytes. */
export interface MemoryReport {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** Flags and environment that let a Node process be asked, and how to ask it. */
export function askableMemory(): {
  readonly nodeFlags: readonly string[];
  readonly env: Record<string, string>;
  readonly ask: (pid: number) => Promise<MemoryReport>;
} {
  const file = join(temporaryDirectory(), "memory.json");
  return {
    nodeFlags: ["--expose-gc", "--import", join(import.meta.dirname, "report-memory.ts")],
    env: { MEMORY_REPORT: file },
    async ask(pid) {
      await rm(file, { force: true });
      process.kill(pid, "SIGUSR2");
      for (;;) {
        const text = await readFile(file, "utf8").catch(() => undefined);
        if (text !== undefined) return JSON.parse(text) as MemoryReport;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
