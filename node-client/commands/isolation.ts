import { spawnSync } from "node:child_process";
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { AllowedCommand } from "./allowed.ts";
import { imageView } from "./image-view.ts";

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
 * Arguments of bubblewrap (https://github.com/containers/bubblewrap) in front of a command: it sees the system's programs and libraries, or
 * the files of its image, read-only, its own directory and an empty `/tmp`, no other process and, unless it is allowed, no network. It writes nowhere else, also not
 * in memory: what it has in `/dev/shm` counts as its files do.
 */
export function isolated(allowed: AllowedCommand, run: RunDirectories): string[] {
  const { path, network, reads, writes, files } = allowed;
  const programs = files ? [] : [...new Set([dirname(path), dirname(realpathSync(path))])];
  const others = [...programs, ...reads].filter((each) => files || !isOfSystem(each));
  return [
    "bwrap",
    "--unshare-all",
    ...(network ? ["--share-net"] : []),
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    ...(files ? imageView(allowed, files) : systemView(network)),
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

/** The system's programs and libraries, and a few settings. */
function systemView(network: boolean): string[] {
  const etc = network ? [...settings, ...networkSettings] : settings;
  return [
    ...systemDirectories.flatMap(systemDirectory),
    ...etc.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
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
