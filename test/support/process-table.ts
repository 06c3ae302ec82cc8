import { readdirSync, readFileSync } from "node:fs";

export interface SystemProcess {
  readonly pid: number;
  readonly parameters: readonly string[];
}

/** Processes of this machine whose command line has `text` in it (Linux). */
export function processesWith(text: string): SystemProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
        // What has ended and was not waited for has no command line any more.
        return line.includes(text) ? [{ pid: Number(name), parameters: line.split("\0") }] : [];
      } catch {
        return [];
      }
    });
}
