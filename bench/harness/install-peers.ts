import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { delimiter, join, sep } from "node:path";

const bench = join(import.meta.dirname, "..");

/** `npm ci` of the peers, when they are missing or older than the lockfile. */
export function installPeers(): void {
  const present = join(bench, "node_modules", ".package-lock.json");
  const wanted = join(bench, "package-lock.json");
  if (existsSync(present) && statSync(present).mtimeMs >= statSync(wanted).mtimeMs) return;
  console.error("Installing the peers (npm ci in bench/) …");
  // The machine's own npm with the machine's own Node: the pinned one brings no npm.
  const pinned = join("node_modules", ".bin");
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.endsWith(sep + pinned));
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: bench,
    // What npm tells its scripts about itself would make it install into the repository's root.
    env: { ...withoutNpm(), PATH: path.join(delimiter) },
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new Error("`npm ci` in bench/ failed; the peers can not be measured without.");
}

function withoutNpm(): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name),
  );
  return Object.fromEntries(ours);
}
