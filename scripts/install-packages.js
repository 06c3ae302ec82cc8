// Plain JavaScript: scripts/prepare.js uses it under any Node of the machine, before packages are installed.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { delimiter, join, sep } from "node:path";

/** See install-packages.d.ts. @param {string} folder @returns {boolean} */
export function installPackages(folder) {
  if (areInstalled(folder)) return true;
  console.error(`Installing packages (npm ci in ${folder}) …`);
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    env: environmentOfNpm(),
    shell: process.platform === "win32",
  });
  return status === 0;
}

/** @param {string} folder */
function areInstalled(folder) {
  const wanted = join(folder, "package-lock.json");
  const present = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(present)) return false;
  if (statSync(wanted).mtimeMs <= statSync(present).mtimeMs) return true;
  // A checkout touches the lockfile without a change, so the versions decide.
  const have = packagesOf(present);
  return Object.entries(packagesOf(wanted)).every(
    ([path, { version, optional, devOptional }]) =>
      path === "" || optional || devOptional || have[path]?.version === version,
  );
}

/** @param {string} lockfile @returns {Record<string, { version?: string, optional?: boolean, devOptional?: boolean }>} */
function packagesOf(lockfile) {
  return JSON.parse(readFileSync(lockfile, "utf8")).packages;
}

/**
 * The environment without the Node in node_modules/.bin, which npm may replace, and without the variables that npm sets for its
 * scripts.
 */
function environmentOfNpm() {
  const pinned = sep + join("node_modules", ".bin");
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.endsWith(pinned));
  const others = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name),
  );
  return { ...Object.fromEntries(others), PATH: path.join(delimiter) };
}
