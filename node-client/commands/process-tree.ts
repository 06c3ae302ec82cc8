import { readdirSync, readFileSync } from "node:fs";

interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

/**
 * Ids of a process, what descends from it, and what is of its session, where /proc shows processes.
 * @param mark - text in the environment of further ones: those that made a session of their own and whose parent ended
 */
export function processTree(root: number, mark?: string): number[] {
  const all = listProcesses();
  const members = new Set([root]);
  let size = 0;
  while (size < members.size) {
    size = members.size;
    for (const { pid, parent, session } of all)
      if (members.has(parent) || session === root || (mark !== undefined && hasMark(pid, mark)))
        members.add(pid);
    mark = undefined;
  }
  return all.map(({ pid }) => pid).filter((pid) => members.has(pid));
}

/** Memory of processes in bytes, in which pages that several of them share count for each. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (bytesIn(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m) ?? 0), 0);
}

/** Memory of processes in bytes, in which such pages count once. The system walks all pages to tell it. */
export function proportionalBytes(pids: readonly number[]): number {
  const proportional = (pid: number): number | undefined =>
    bytesIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m);
  return pids.reduce((sum, pid) => sum + (proportional(pid) ?? residentBytes([pid])), 0);
}

/** Ends processes at once; those that they start meanwhile are looked for until none is left. */
export function killTree(root: number, mark: string): void {
  kill(-root);
  for (let round = 0; round < 20; round++) {
    const left = processTree(root, mark).filter((pid) => !isZombie(pid));
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended by itself.
  }
}

function listProcesses(): Listed[] {
  const found: Listed[] = [];
  for (const name of namesIn("/proc")) {
    const pid = Number(name);
    const fields = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (!fields) continue;
    const [, parent, , session] = fields;
    found.push({ pid, parent: Number(parent), session: Number(session) });
  }
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Fields of /proc/PID/stat from the state on, which stands behind the name in brackets. */
function statOf(pid: number): string[] | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  return text === undefined ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function isZombie(pid: number): boolean {
  return statOf(pid)?.[0] === "Z";
}

function hasMark(pid: number, mark: string): boolean {
  return textOf(`/proc/${pid}/environ`)?.split("\0").includes(mark) === true;
}

function bytesIn(path: string, field: RegExp): number | undefined {
  const kilobytes = field.exec(textOf(path) ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
