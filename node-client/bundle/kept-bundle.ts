import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { MadeBundle } from "./make-bundle.ts";
import { codeDirectories, isOwn, makePrivate } from "./code-directory.ts";

/** What to bundle. */
interface BundleRequest {
  readonly entry: string;
  /** Where it is kept between runs. */
  readonly cacheDirectory: string;
  /** Whether it runs beside its sources, on this machine and with its rights; else nothing in it tells of them. */
  readonly local?: boolean;
}

/** One module of plain JavaScript. */
export interface KeptBundle {
  readonly code: string;
  /** Where it lies; absent when it could not be kept. */
  readonly path: string | undefined;
}

const digits = 64;
/** Bundles of checkouts and versions that are gone. One that is still used is made again then. */
const keepDays = 60;

const asked = new Map<string, Promise<KeptBundle>>();

/**
 * An entry and all that it imports as one module, made once for what it is made of. Loading many TypeScript files costs more than running
 * them: a sandbox process took 413 ms to be ready from its sources and 70 ms as one module, where an empty Node takes 41.
 *
 * @throws Error when it cannot be bundled
 */
export function keptBundle(request: BundleRequest): Promise<KeptBundle> {
  const name = nameOf(request);
  const key = `${request.cacheDirectory}\0${name}`;
  let bundle = asked.get(key);
  if (!bundle) {
    bundle = findOrMake(request, name);
    asked.set(key, bundle);
    bundle.catch(() => asked.delete(key));
  }
  return bundle;
}

async function findOrMake(request: BundleRequest, name: string): Promise<KeptBundle> {
  const directories = codeDirectories(request.cacheDirectory);
  for (const directory of directories) {
    const path = join(directory, name);
    const code = read(path);
    if (code !== undefined) return { code, path };
  }
  const began = Date.now();
  const made = await make(request);
  // Who edits a file just now gets a bundle of before or after that; the next program makes it anew.
  const path = isOlder(made.files, began) ? await keepSomewhere(made, directories, name) : undefined;
  return { code: made.code, path };
}

/** Checkouts, and versions of Node, do not take each other's place. */
function nameOf({ entry, local }: BundleRequest): string {
  const which = digest(`${process.version} ${process.arch} ${String(local)} ${entry}`).slice(0, 16);
  return `${basename(entry, ".ts")}-${which}.mjs`;
}

/** What a kept file begins with, as comments of the module. */
interface Origin {
  readonly files: readonly string[];
  readonly digest: string;
}

/**
 * Reads at one go: with promises, each of some 200 small files waits for a turn of the event loop (6 ms became 40).
 * @returns undefined when it is not there, damaged, somebody else's, or made of what has changed since
 */
function read(path: string): string | undefined {
  try {
    if (!isOwn(dirname(path)) || !isOwn(path)) return undefined;
    const text = readFileSync(path, "utf8");
    const body = text.slice(digits + 3);
    if (text.slice(2, digits + 2) !== digest(body)) return undefined;
    const end = body.indexOf("\n");
    const origin = JSON.parse(body.slice(2, end)) as Origin;
    return digestOf(origin.files) === origin.digest ? body.slice(end + 1) : undefined;
  } catch {
    return undefined;
  }
}

function write({ code, files }: MadeBundle, builtFrom: string): string {
  const origin: Origin = { files, digest: builtFrom };
  const body = `//${JSON.stringify(origin)}\n${code}`;
  return `//${digest(body)}\n${body}`;
}

/** Not being able to keep it (a full disk, a home that is read only) only costs time. */
async function keepSomewhere(
  made: MadeBundle,
  directories: readonly string[],
  name: string,
): Promise<string | undefined> {
  const text = write(made, digestOf(made.files));
  for (const directory of directories)
    try {
      makePrivate(directory);
      const [aside, path] = [join(directory, randomUUID()), join(directory, name)];
      await writeFile(aside, text, { mode: 0o600 });
      await rename(aside, path);
      await removeOld(directory);
      return path;
    } catch {
      continue;
    }
  return undefined;
}

async function removeOld(directory: string): Promise<void> {
  const before = Date.now() - keepDays * 24 * 3_600_000;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && found.mtimeMs < before) await rm(path, { force: true });
  }
}

async function make({ entry, local }: BundleRequest): Promise<MadeBundle> {
  const script = join(import.meta.dirname, "make-bundle.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--no-warnings", script, entry, ...(local ? ["local"] : [])],
    { maxBuffer: 64 * 1024 * 1024, windowsHide: true },
  );
  return JSON.parse(stdout) as MadeBundle;
}

/** Times of files are as coarse as the system's clock tick. */
const tickMs = 20;

function isOlder(files: readonly string[], than: number): boolean {
  return files.every((file) => statSync(file).ctimeMs < than - tickMs);
}

function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(file));
  return hash.digest("hex");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
