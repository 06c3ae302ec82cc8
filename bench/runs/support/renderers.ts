import { readdir, readFile } from "node:fs/promises";

/** Process ids of the pages of a Chromium (Linux): descendants of its first process that render. */
export async function renderersOf(browser: number): Promise<number[]> {
  const parents = new Map<number, number>();
  const renderers: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => undefined);
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (!stat) continue;
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    if (command.includes("--type=renderer")) renderers.push(Number(name));
  }
  const isOurs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === browser) return true;
    return false;
  };
  return renderers.filter(isOurs);
}
