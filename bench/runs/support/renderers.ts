import { readdir, readFile } from "node:fs/promises";
import { statOf } from "./process-stat.ts";

/** Process ids of the pages of a Chromium (Linux): descendants of its first process that render. */
export async function renderersOf(browser: number): Promise<number[]> {
  const parents = new Map<number, number>();
  const renderers: number[] = [];
  for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
    const stat = await statOf(pid).catch(() => undefined);
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!stat) continue;
    parents.set(pid, stat.parent);
    if (command.includes("--type=renderer")) renderers.push(pid);
  }
  const isOfBrowser = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === browser) return true;
    return false;
  };
  return renderers.filter(isOfBrowser);
}
