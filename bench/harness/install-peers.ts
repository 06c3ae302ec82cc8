import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, sep } from "node:path";

const bench = join(import.meta.dirname, "..");

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

/** Runs `npm ci` in bench/ when the peers there are not those of the lockfile. */
export function installPeers(): void {
  if (installed()) return;
  console.error("Installing the peers (npm ci in bench/) …");
  // The machine's own npm with the machine's own Node: the pinned one brings no npm.
  const pinned = join("node_modules", ".bin");
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.endsWith(sep + pinned));
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: bench,
    // Variables that npm sets for its scripts would make this npm install into the repository's root.
    env: { ...withoutNpm(), PATH: path.join(delimiter) },
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error("`npm ci` in bench/ failed; the peers can not be measured without.");
}

/** Whether the packages of the lockfile are there. Its time says nothing: a checkout touches it without a change. */
function installed(): boolean {
  const present = join(bench, "node_modules", ".package-lock.json");
  if (!existsSync(present)) return false;
  const have = readLockfile(present);
  return Object.entries(readLockfile(join(bench, "package-lock.json"))).every(
    ([path, { version, optional }]) => path === "" || optional || have[path]?.version === version,
  );
}

function readLockfile(path: string): Lockfile["packages"] {
  return (JSON.parse(readFileSync(path, "utf8")) as Lockfile).packages;
}

function withoutNpm(): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name),
  );
  return Object.fromEntries(ours);
}
