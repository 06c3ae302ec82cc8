import { readdirSync, readFileSync } from "node:fs";

export interface SystemProcess {
  readonly pid: number;
  readonly parameters: readonly string[];
}

/** Processes of this machine whose command line contains `text` (Linux). */
export function processesWith(text: string): SystemProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
        // A process that has ended and was not waited for has an empty command line.
        return line.includes(text) ? [{ pid: Number(name), parameters: line.split("\0") }] : [];
      } catch {
        return [];
      }
    });
}
