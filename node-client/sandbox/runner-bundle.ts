import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

const here = import.meta.dirname;
const shared = join(here, "..", "..", "shared");
const sources = [here, shared, join(shared, "client")];
const packages = ["comlink", "@msgpack/msgpack", "valibot", "rolldown"];
const digits = 64;

const bundles = new Map<string, Promise<string>>();

/**
 * The code of a sandbox process as one module of plain JavaScript. Run from its sources, a process took 413 ms to be ready
 * (nearly all of it to load the TypeScript stripper and 60 files); as one module, 70 ms, where an empty Node takes 41. It
 * also needs no file of this machine. Made once for a version of the sources and kept under `cacheDirectory`.
 *
 * @throws Error when it cannot be bundled
 */
export function loadRunnerBundle(cacheDirectory: string): Promise<string> {
  let bundle = bundles.get(cacheDirectory);
  if (!bundle) {
    bundle = findOrMake(join(cacheDirectory, "runner"));
    bundles.set(cacheDirectory, bundle);
    bundle.catch(() => bundles.delete(cacheDirectory));
  }
  return bundle;
}

async function findOrMake(directory: string): Promise<string> {
  const path = join(directory, `${await sourcesDigest()}.mjs`);
  const kept = await read(path);
  if (kept !== undefined) return kept;
  const code = await make();
  // Not being able to keep it (a full disk, somebody else's directory) only costs time.
  await keep(directory, path, code).catch(() => undefined);
  return code;
}

/** Changes with whatever the bundle is made of. */
async function sourcesDigest(): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  for (const directory of sources)
    for (const name of (await readdir(directory)).toSorted())
      if (name.endsWith(".ts")) hash.update(name).update(await readFile(join(directory, name)));
  for (const name of packages) {
    const found = findPackageJSON(name, import.meta.url);
    if (!found) throw new Error(`The package ${name} is not installed; run npm ci.`);
    hash.update(await readFile(found));
  }
  return hash.digest("hex");
}

/** The file starts with the digest of the rest, so that a damaged one is made again. */
async function read(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const code = text.slice(digits + 1);
  return text.slice(0, digits) === digest(code) ? code : undefined;
}

async function keep(directory: string, path: string, code: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(directory)) if (name.endsWith(".mjs")) await rm(join(directory, name));
  const aside = join(directory, randomUUID());
  await writeFile(aside, `${digest(code)}\n${code}`, { mode: 0o600 });
  await rename(aside, path);
}

/** In a process of its own: the bundler would leave 100 MB in this one. */
async function make(): Promise<string> {
  const script = join(here, "bundle-runner.ts");
  const { stdout } = await promisify(execFile)(process.execPath, ["--no-warnings", script], {
    maxBuffer: 16 * 1024 * 1024,
    windowsHide: true,
  });
  return stdout;
}

function digest(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}
