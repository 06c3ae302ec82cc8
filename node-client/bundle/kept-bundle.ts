import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { MadeBundle } from "./make-bundle.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import { codeDirectories, isOwn, makePrivate } from "./code-directory.ts";

interface BundleRequest {
  readonly entry: string;
  /** Directory that keeps the bundle between runs. */
  readonly cacheDirectory: string;
  /**
   * `local`: the bundle runs on this machine with the program's rights; others contain no path of this machine. `alone`: a client that
   * needs no other file.
   */
  readonly where?: "local" | "alone";
}

/** A module of plain JavaScript. */
export interface KeptBundle {
  readonly code: string;
  /** The module's file; undefined when it could not be kept. */
  readonly path: string | undefined;
}

const digits = 64;
/** Bundles are removed after this long, for most belong to checkouts and versions that are gone; used ones are made again. */
const keepDays = 60;

const asked = new Map<string, Promise<KeptBundle>>();

/**
 * An entry and all its imports as one module, made again only when a source changes. Many TypeScript files load slowly: a sandbox process
 * is ready in 70 ms from one module, in 413 ms from sources.
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
  const made = await makeBundle(request);
  // A file that changed meanwhile may be in the bundle as it was before or after, so this bundle is not kept.
  const path = isOlder(made.files, began) ? await keepSomewhere(made, directories, name) : undefined;
  return { code: made.code, path };
}

/** File of the bundle; each checkout and version of Node has its own. */
function nameOf({ entry, where }: BundleRequest): string {
  const which = digest(`${process.version} ${process.arch} ${where ?? ""} ${entry}`).slice(0, 16);
  return `${basename(entry, extname(entry))}-${which}.mjs`;
}

/** The sources of a bundle, in a comment at the head of its file. */
interface Origin {
  readonly files: readonly string[];
  readonly digest: string;
}

/**
 * Reads synchronously, because with promises each of some 200 small files would wait for a turn of the event loop.
 * @returns undefined when the bundle is absent, damaged, another user's, or older than its sources
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

/** Keeps a bundle where possible; a full disk or a read-only home only costs the next program time. */
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

/**
 * Bundles an entry in a process of its own (see make-bundle.ts).
 *
 * @throws Error when it cannot be bundled
 */
export async function makeBundle({
  entry,
  where,
}: Omit<BundleRequest, "cacheDirectory">): Promise<MadeBundle> {
  const script = fileURLToPath(moduleBeside(import.meta.url, "make-bundle"));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--no-warnings", script, entry, ...(where === undefined ? [] : [where])],
    { maxBuffer: 64 * 1024 * 1024, windowsHide: true },
  );
  return JSON.parse(stdout) as MadeBundle;
}

/** Allows for file times, which are as coarse as the system's clock tick. */
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
