import { spawnSync } from "node:child_process";
import { constants, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { chmod, lstat, mkdir, open, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { limits } from "../../shared/limits.ts";
import type { CommandContent } from "../../shared/wire/command.ts";
import { isAlive } from "../is-alive.ts";
import type { CommandParts } from "./command-parts.ts";

const prefix = "manyhands-command-";
/** Standard error that a failure tells: its start and its end. */
const mostStartBytes = 512;
const mostEndBytes = 2048;

/** A file that a command left. */
export interface LeftFile {
  readonly path: string;
  readonly size: number;
}

/** The private directory of a run, which nobody else may read. `work` is the command's own; the rest is beside it. */
export class RunDirectory {
  readonly root: string;
  readonly work: string;
  readonly temporary: string;
  /** Memory that processes of an isolated command share. */
  readonly shared: string;

  private constructor(root: string) {
    this.root = root;
    this.work = join(root, "work");
    this.temporary = join(root, "tmp");
    this.shared = join(root, "shm");
  }

  static async make(): Promise<RunDirectory> {
    const made = new RunDirectory(mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`)));
    await mkdir(made.work);
    await mkdir(made.temporary);
    await mkdir(made.shared);
    return made;
  }

  /** Path of standard input, output or error. */
  stream(name: "stdin" | "stdout" | "stderr"): string {
    return join(this.root, name);
  }

  /**
   * Makes a read-only file. The file is a copy: of a link a program of this user could change the cache behind it.
   * @throws PlatformError of data that cannot be had
   */
  async place(
    path: string,
    content: CommandContent,
    parts: Pick<CommandParts, "data" | "signal">,
  ): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "wx");
    try {
      for await (const bytes of piecesOf(content, parts)) await file.writeFile(bytes);
    } finally {
      await file.close();
    }
    await chmod(path, 0o444);
  }

  /** Regular files below the working directory, ordered by path. Links are not followed. */
  async files(): Promise<LeftFile[]> {
    const found: LeftFile[] = [];
    for await (const { path, size } of regularFiles(this.work, "")) found.push({ path, size });
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Bytes that the run has on disk. */
  async size(): Promise<number> {
    let sum = 0;
    for await (const { size } of regularFiles(this.root, "")) sum += size;
    return sum;
  }

  /** The bytes of a file that the command left. @throws Error when the file is no regular one any more */
  async read(path: string): Promise<Uint8Array> {
    return readRegular(join(this.work, path));
  }

  async stdout(): Promise<Uint8Array> {
    return readRegular(this.stream("stdout"));
  }

  /** Standard error; of a long one its start and end. */
  async stderr(): Promise<string> {
    const file = await open(this.stream("stderr"), constants.O_RDONLY);
    try {
      const { size } = await file.stat();
      const read = async (start: number, end: number): Promise<string> => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
        return buffer.toString("utf8", 0, bytesRead);
      };
      if (size <= mostStartBytes + mostEndBytes) return await read(0, size);
      const [start, end] = [await read(0, mostStartBytes), await read(size - mostEndBytes, size)];
      return `${start}\n[… ${size - mostStartBytes - mostEndBytes} bytes …]\n${end}`;
    } finally {
      await file.close();
    }
  }

  remove(): void {
    // A process that is being killed may still write.
    const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 20 };
    try {
      rmSync(this.root, options);
    } catch {
      // The command took the rights from its own directories.
      spawnSync("chmod", ["-R", "u+rwX", this.root], { stdio: "ignore" });
      rmSync(this.root, options);
    }
  }
}

/** Removes directories of clients of this user that were killed. */
export function removeAbandonedRuns(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // The directory of another user.
    }
  }
}

/** The bytes of a content; a large blob comes in pieces, so that it is never in memory as a whole. */
async function* piecesOf(
  content: CommandContent,
  { data, signal }: Pick<CommandParts, "data" | "signal">,
): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) return yield content;
  const { sha256, size } = content;
  const [start, end] = content.range ?? [0, size];
  if (start === 0 && end === size && size <= limits.wholeBytes)
    return yield await data({ sha256, size }, undefined);
  for (let at = start; at < end; at += limits.wholeBytes) {
    signal.throwIfAborted();
    yield await data({ sha256, size }, [at, Math.min(end, at + limits.wholeBytes)]);
  }
}

async function* regularFiles(root: string, folder: string): AsyncGenerator<LeftFile> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* regularFiles(root, path);
    if (!entry.isFile()) continue;
    const found = await lstat(join(root, path)).catch(() => undefined);
    if (found?.isFile()) yield { path, size: found.size };
  }
}

async function readRegular(path: string): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path} is no regular file.`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
