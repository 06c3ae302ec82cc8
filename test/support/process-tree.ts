import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Children of a process, the latest last. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return children.trim().split(/\s+/).filter(Boolean).map(Number);
}

/** Every process that descends from `pid` now, from /proc. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const found = new Set([pid]);
  for (let size = 0; size < found.size;) {
    size = found.size;
    for (const [child, parent] of parents) if (found.has(parent)) found.add(child);
  }
  found.delete(pid);
  return [...found];
}

/** Processor time of a process so far; 0 when the process has ended. */
export function cpuMsOf(pid: number): number {
  const [user = 0, system = 0] = statOf(pid)?.slice(11, 13).map(Number) ?? [];
  // Linux tells it in hundredths of a second, whatever its clock.
  return (user + system) * 10;
}

/** Whether a process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

function parentOf(pid: number): number | undefined {
  const [state = "Z", parent] = statOf(pid) ?? [];
  return state === "Z" ? undefined : Number(parent);
}

/** Fields of `/proc/PID/stat`, from the state on. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may contain any character.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** TCP and UDP sockets of a process that wait for others to connect or send. */
export function listeningSockets(pid: number): string[] {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  return ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .filter((line) => {
        const [, , , state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
        // 0A: LISTEN (net/tcp_states.h); a datagram socket has no such state.
        return own.has(inode) && (table.startsWith("udp") || state === "0A");
      }),
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
