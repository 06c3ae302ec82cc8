import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Memory a sandbox process takes beside the kernel's own: Node itself (42 MB measured when idle), V8's young generation and
 * compiled code.
 */
export const processOverheadMb = 192;

/** Writable address space an idle Node process has reserved: 572 MB measured, nearly all of it V8's code range. */
const reservedMb = 1024;

/** Program and arguments that start one sandbox process, which reads its code from standard input. */
export function childCommand(memoryMb: number): { program: string; parameters: string[] } {
  const launcher = [...limitsLauncher(memoryMb), ...deathLauncher()];
  const [program = process.execPath, ...rest] = launcher;
  const flags = nodeFlags(memoryMb);
  return { program, parameters: launcher.length > 0 ? [...rest, process.execPath, ...flags] : flags };
}

function nodeFlags(memoryMb: number): string[] {
  return [
    // Without a single --allow-…: no file, network, process, worker or addon.
    "--permission",
    `--max-old-space-size=${memoryMb}`,
    "--no-addons",
    "--disable-sigusr1",
    "--no-experimental-global-navigator",
    "--no-warnings",
    "--input-type=module",
    "-",
  ];
}

/**
 * Has Linux kill the sandbox when its client dies: a kernel in an endless loop would not notice a closed channel, and
 * nobody is left to end it.
 */
function deathLauncher(): string[] {
  return launcher("setpriv", ["--pdeathsig", "KILL", "--no-new-privs"]) ?? [];
}

/** Whether the system itself ends a sandbox with its client; else an orphan guard has to. */
export function diesWithParent(): boolean {
  return deathLauncher().length > 0;
}

/**
 * A bound that holds between two looks of the memory watch, and no core dumps. Twice the kernel's share, so that it is
 * the watch that speaks first.
 */
function limitsLauncher(memoryMb: number): string[] {
  const bytes = (reservedMb + processOverheadMb + 2 * memoryMb) * 1024 ** 2;
  const tried = launcher("prlimit", [`--data=${64 * 1024 ** 3}`, "--core=0"]);
  return tried ? [tried[0]!, `--data=${bytes}`, "--core=0"] : [];
}

const launchers = new Map<string, string[] | undefined>();

/** A launcher of util-linux with its options, when it is there and understands them (busybox has lesser ones). */
function launcher(name: string, options: string[]): string[] | undefined {
  if (!launchers.has(name)) launchers.set(name, findLauncher(name, options));
  return launchers.get(name);
}

function findLauncher(name: string, options: string[]): string[] | undefined {
  if (process.platform !== "linux") return undefined;
  for (const directory of (process.env["PATH"] ?? "/usr/bin:/bin").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      continue;
    }
    const tried = spawnSync(path, [...options, "true"], { stdio: "ignore", timeout: 5000 });
    if (tried.status === 0) return [path, ...options];
  }
  return undefined;
}
