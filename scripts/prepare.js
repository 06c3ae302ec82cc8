// Makes `npm start`, `npm run demo` and `npm test` work first thing after a clone, and takes hardly any time later.
// Plain JavaScript without dependencies, for any Node of the machine, before packages are installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBrowser } from "./find-browser.js";
import { installPackages } from "./install-packages.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const windows = process.platform === "win32";

if (!installPackages(root)) process.exit(1);
buildPages();
if (process.argv.includes("--browser")) provideBrowser();
if (process.argv.includes("--engines")) provideEngines();
if (process.argv.includes("--tracer")) provideTracer();
if (process.argv.includes("--s3")) provideS3();
if (process.argv.includes("--postgres")) providePostgres();
if (process.argv.includes("--balancer")) provideBalancer();
if (process.argv.includes("--wasi")) provideWasi();
if (process.argv.includes("--commands")) provideCommands();

/**
 * Runs a command with the user watching.
 * @param {string} command @param {string[]} args
 * @returns {boolean} whether it succeeded
 */
function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", shell: windows });
  return status === 0;
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
  const args = [vite, "build", "--config", config, "--logLevel", "warn"];
  if (run(existsSync(node) ? node : process.execPath, args)) return;
  console.error("The pages could not be built.");
  process.exit(1);
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
  run("npx", ["puppeteer", "browsers", "install", "chrome"]);
  if (browserRuns()) return;
  installOnDebian("chromium");
  if (!browserRuns()) fail("No Chrome or Chromium could be installed.");
}

/** Tests of the pages run in Firefox and WebKit as well; where these are not installed they are skipped, and say so. */
function provideEngines() {
  if (process.platform !== "linux") return;
  const commands = ["firefox-esr", "WebKitWebDriver", "Xvfb"];
  if (commands.some((command) => !existsSync(join("/usr/bin", command))))
    installOnDebian("firefox-esr", "webkit2gtk-driver", "xvfb");
}

/** Tests of flushes to disk watch system calls; without a tracer they are skipped, and say so. */
function provideTracer() {
  if (process.platform === "linux" && spawnSync("strace", ["-V"]).error) installOnDebian("strace");
}

/** Tests of blobs in S3 start OpenStack Swift, 11 MB; without it they are skipped, and say so. */
function provideS3() {
  const names = ["proxy", "account", "container", "object"].map((part) => `swift-${part}`);
  if (process.platform === "linux" && names.some((name) => spawnSync(`${name}-server`, ["--help"]).error))
    installOnDebian(...names);
}

/** Tests of the store on PostgreSQL start one of their own; where none is installed they are skipped, and say so. */
function providePostgres() {
  if (process.platform === "linux" && !existsSync("/usr/lib/postgresql")) installOnDebian("postgresql");
}

/** Tests of servers behind a balancer start haproxy; where none is installed they are skipped, and say so. */
function provideBalancer() {
  if (process.platform === "linux" && spawnSync("haproxy", ["-v"]).error && !existsSync("/usr/sbin/haproxy"))
    installOnDebian("haproxy");
}

/** Tests of programs compile C to WASI; without a compiler for that they are skipped, and say so. */
function provideWasi() {
  if (process.platform !== "linux") return;
  if (spawnSync("clang", ["--version"]).error || !existsSync("/usr/lib/wasm32-wasi/libc.a"))
    installOnDebian("clang", "lld", "wasi-libc", "libclang-rt-14-dev-wasm32");
}

/** Tests of commands run a program of science, and isolate it; what is not installed is skipped, and says so. */
function provideCommands() {
  if (process.platform !== "linux") return;
  if (spawnSync("bwrap", ["--version"]).error) installOnDebian("bubblewrap");
  if (spawnSync("fasttree", ["-help"]).error) installOnDebian("fasttree");
  if (spawnSync("podman", ["--version"]).error) installOnDebian("podman");
}

/** Installs packages where this user may; elsewhere nothing happens. @param {string[]} names */
function installOnDebian(...names) {
  if (!existsSync("/etc/debian_version") || process.getuid?.() !== 0) return;
  run("apt-get", ["update", "-q"]);
  // RUNLEVEL=1 keeps the services of the packages down.
  run("env", ["RUNLEVEL=1", "apt-get", "install", "-y", "-q", "--no-install-recommends", ...names]);
}

/** Whether a browser is there and starts: a downloaded Chrome may lack libraries of the system. */
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
