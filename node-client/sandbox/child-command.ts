import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Memory of a sandbox process beside its kernel's: Node itself (42 MB when idle), V8's young generation and compiled code. */
export const processOverheadMb = 192;

/** Writable address space that an idle Node process reserves: 572 MB, nearly all of it V8's code range. */
const reservedMb = 1024;

/**
 * Program and arguments that start one sandbox process, which reads its code from standard input.
 * @param readable - the only directory whose files the process may read; absent: none
 */
export function childCommand(memoryMb: number, readable?: string): { program: string; parameters: string[] } {
  const launcher = [...limitsLauncher(memoryMb), ...deathLauncher()];
  const [program = process.execPath, ...rest] = launcher;
  const flags = nodeFlags(memoryMb, readable);
  return { program, parameters: launcher.length > 0 ? [...rest, process.execPath, ...flags] : flags };
}

function nodeFlags(memoryMb: number, readable: string | undefined): string[] {
  return [
    // Without further --allow-… the process has no other file, and no network, process, worker or addon.
    "--permission",
    ...(readable === undefined ? [] : [`--allow-fs-read=${join(readable, "*")}`]),
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
 * Makes Linux kill the sandbox when its client dies. A kernel in an endless loop would not notice a closed channel, and a dead
 * client cannot end it.
 */
function deathLauncher(): string[] {
  const { setpriv } = launchers();
  return setpriv === undefined ? [] : [setpriv, ...deathOptions];
}

/** Whether the system itself ends a sandbox with its client; otherwise an orphan guard has to. */
export function diesWithParent(): boolean {
  return deathLauncher().length > 0;
}

/**
 * A limit for the time between two checks of the memory watch, without core dumps. The limit is twice the kernel's share, so
 * that the watch acts first.
 */
function limitsLauncher(memoryMb: number): string[] {
  const { prlimit } = launchers();
  const bytes = (reservedMb + processOverheadMb + 2 * memoryMb) * 1024 ** 2;
  return prlimit === undefined ? [] : [prlimit, ...limitOptions(bytes)];
}

const deathOptions = ["--pdeathsig", "KILL", "--no-new-privs"];
const limitOptions = (bytes: number): string[] => [`--data=${bytes}`, "--core=0"];

/** Paths of util-linux launchers with the needed options, which busybox lacks. */
interface Launchers {
  readonly prlimit?: string | undefined;
  readonly setpriv?: string | undefined;
}

let found: Launchers | undefined;

function launchers(): Launchers {
  found ??= process.platform === "linux" ? findLaunchers() : {};
  return found;
}

function findLaunchers(): Launchers {
  const limits = pathsOf("prlimit").map((path) => [path, ...limitOptions(64 * 1024 ** 3)]);
  const deaths = pathsOf("setpriv").map((path) => [path, ...deathOptions]);
  // Usually both work, so one trial tests both. It takes 5 ms and blocks the process.
  const [limit, death] = [limits[0], deaths[0]];
  if (limit && death && runs([...limit, ...death])) return { prlimit: limit[0], setpriv: death[0] };
  return { prlimit: limits.find(runs)?.[0], setpriv: deaths.find(runs)?.[0] };
}

function pathsOf(name: string): string[] {
  const directories = (process.env["PATH"] ?? "/usr/bin:/bin").split(delimiter);
  return directories.map((directory) => join(directory, name)).filter(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function runs([program = "", ...parameters]: readonly string[]): boolean {
  return spawnSync(program, [...parameters, "true"], { stdio: "ignore", timeout: 5000 }).status === 0;
}
