// Makes `npm start`, `npm run demo` and `npm test` work first thing after a clone, and costs next to nothing later.
// Plain JavaScript, no dependencies: it runs under whatever Node the machine has, before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { findBrowser } from "./find-browser.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const windows = process.platform === "win32";

installPackages();
buildPages();
if (process.argv.includes("--browser")) provideBrowser();
if (process.argv.includes("--tracer")) provideTracer();

/**
 * Runs a command with the user watching; ends this process when it fails and `orElse` is not given.
 * @param {string} command @param {string[]} args @param {{ env?: NodeJS.ProcessEnv, may?: boolean }} [options]
 */
function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: options.env ?? process.env,
    shell: windows,
  });
  if (status === 0) return true;
  if (options.may) return false;
  console.error(`\`${command} ${args.join(" ")}\` failed${error ? `: ${error.message}` : ""}.`);
  process.exit(1);
}

/** When a file was modified, in ms since the epoch; 0 when it does not exist. @param {string} path */
function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function installPackages() {
  if (installed()) return;
  console.error("Installing packages (npm ci) …");
  // npm must not run on the Node that it is about to replace, so the one in node_modules/.bin leaves the PATH.
  const ours = join("node_modules", ".bin");
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.endsWith(sep + ours));
  run("npm", ["ci", "--no-audit", "--no-fund"], { env: { ...process.env, PATH: path.join(delimiter) } });
}

function installed() {
  const wanted = join(root, "package-lock.json");
  const present = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(present)) return false;
  if (modified(wanted) <= modified(present)) return true;
  // A checkout may touch the lockfile without changing it: what counts is whether the same packages are there.
  const { packages } = JSON.parse(readFileSync(wanted, "utf8"));
  const have = JSON.parse(readFileSync(present, "utf8")).packages;
  return Object.entries(packages).every(
    ([path, entry]) =>
      path === "" || entry.optional || entry.devOptional || have[path]?.version === entry.version,
  );
}

function buildPages() {
  const config = join("web-client", "vite.config.ts");
  if (!existsSync(join(root, config))) return;
  const built = newest(join(root, "dist", "web"));
  const sources = Math.max(newest(join(root, "web-client")), newest(join(root, "shared")));
  if (built >= sources) return;
  console.error("Building the pages …");
  const node = join(root, "node_modules", "node", "bin", windows ? "node.exe" : "node");
  const vite = join("node_modules", "vite", "bin", "vite.js");
  run(existsSync(node) ? node : process.execPath, [vite, "build", "--config", config, "--logLevel", "warn"]);
}

/** Newest modification below a folder, in ms since the epoch; 0 when there is nothing. @param {string} folder */
function newest(folder) {
  if (!existsSync(folder)) return 0;
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

function provideBrowser() {
  if (findBrowser()) return;
  if (process.env["CHROME_PATH"]) fail(`CHROME_PATH is ${process.env["CHROME_PATH"]}, which cannot be run.`);
  console.error("No Chrome or Chromium found; installing one …");
  run("npx", ["puppeteer", "browsers", "install", "chrome"], { may: true });
  if (browserRuns()) return;
  installOnDebian("chromium");
  if (!browserRuns()) fail("No Chrome or Chromium could be installed.");
}

/** Tests of what is flushed to disk watch system calls; without a tracer they are skipped, and say so. */
function provideTracer() {
  if (process.platform === "linux" && spawnSync("strace", ["-V"]).error) installOnDebian("strace");
}

/** Where this user may do that; elsewhere nothing happens. @param {string} name */
function installOnDebian(name) {
  if (!existsSync("/etc/debian_version") || process.getuid?.() !== 0) return;
  run("apt-get", ["update", "-q"], { may: true });
  run("apt-get", ["install", "-y", "-q", "--no-install-recommends", name], { may: true });
}

/** A downloaded Chrome is of no use where the libraries it needs are missing, so it has to start once. */
function browserRuns() {
  const path = findBrowser();
  return path !== undefined && spawnSync(path, ["--version"], { timeout: 30_000 }).status === 0;
}

/** @param {string} what */
function fail(what) {
  console.error(
    `${what} The tests need one: install Chrome or Chromium, or set CHROME_PATH to its executable.`,
  );
  process.exit(1);
}
