import { spawnSync } from "node:child_process";
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { AllowedCommand } from "./allowed.ts";

/** Directories of a run. */
export interface RunDirectories {
  readonly work: string;
  readonly temporary: string;
  /** Memory that processes share, on disk. */
  readonly shared: string;
}

/** Directories of the system, which commands see read-only; some of them are links into `/usr`. */
const systemDirectories = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** Settings that programs look for; nothing else of `/etc` is seen. */
const settings = [
  "alternatives",
  "fonts",
  "group",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "nsswitch.conf",
  "passwd",
];
const networkSettings = ["ca-certificates", "hosts", "pki", "resolv.conf", "ssl"];

/** Place of the private directory for an isolated command. */
export const isolatedWork = "/work";

/** Reason why commands cannot be isolated on this machine; undefined where bubblewrap isolates them. */
export function isolationLacks(): string | undefined {
  if (process.platform !== "linux") return "bubblewrap is for Linux only";
  // Containers and units of systemd that cover parts of /proc permit namespaces, and no other /proc.
  const view = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"];
  const tried = spawnSync("bwrap", ["--unshare-all", "--die-with-parent", ...view, "true"], {
    encoding: "utf8",
    timeout: 10_000,
  });
  if (tried.error) return "bubblewrap (bwrap) is not installed";
  if (tried.status === 0) return undefined;
  return `bubblewrap does not work here: ${tried.stderr.trim().slice(0, 200)}`;
}

/**
 * Arguments of bubblewrap (https://github.com/containers/bubblewrap) in front of a command: it sees the system's programs and libraries
 * read-only, its own directory and an empty `/tmp`, no other process and, unless it is allowed, no network. It writes nowhere else, also not
 * in memory: what it has in `/dev/shm` counts as its files do.
 */
export function isolated({ path, network, reads, writes }: AllowedCommand, run: RunDirectories): string[] {
  const programs = new Set([dirname(path), dirname(realpathSync(path))]);
  const others = [...programs, ...reads].filter((each) => !isOfSystem(each));
  const etc = network ? [...settings, ...networkSettings] : settings;
  return [
    "bwrap",
    "--unshare-all",
    ...(network ? ["--share-net"] : []),
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    ...systemDirectories.flatMap(systemDirectory),
    ...etc.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--bind",
    run.shared,
    "/dev/shm",
    "--remount-ro",
    "/dev",
    "--bind",
    run.temporary,
    "/tmp",
    ...others.flatMap((each) => ["--ro-bind", each, each]),
    ...writes.flatMap((each) => ["--bind", each, each]),
    "--bind",
    run.work,
    isolatedWork,
    "--remount-ro",
    "/",
    "--chdir",
    isolatedWork,
    "--",
  ];
}

function isOfSystem(path: string): boolean {
  return systemDirectories.some((directory) => path === directory || path.startsWith(`${directory}/`));
}

function systemDirectory(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  return found.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}
