import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, linkSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openDiskCache } from "../../node-client/disk-cache.ts";
import { childCommand } from "../../node-client/sandbox/child-command.ts";
import { largeBytes } from "../../node-client/sandbox/frames.ts";
import { guardHost } from "../../node-client/sandbox/guarded-host.ts";
import { LinkedFiles, type LinkedCache } from "../../node-client/sandbox/linked-files.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import type { SandboxHost, SandboxReport } from "../../shared/client/ports.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { outputOf } from "../support/client-runner-harness.ts";
import { temporaryDirectory, until } from "../support/processes.ts";

const size = 2 * largeBytes + 17;
const blob = new Uint8Array(size).map((_, at) => at % 251);
const sha256 = sha256Hex(blob);
const whole = new DataReference(sha256, size);

/** A kernel that reads one reference after the other. */
const reads = `export default async (refs, ctx) => {
  const read = [];
  for (const ref of refs) read.push(await ctx.data(ref));
  return { read, own: read.every(({ buffer, length }) => buffer.byteLength === length) };
}`;

interface Opened {
  readonly cache: Awaited<ReturnType<typeof openDiskCache>>;
  /** Reads of the client's core. */
  readonly asked: (readonly [number, number] | undefined)[];
  /** Paths of links below the cache's directory. */
  readonly links: () => string[];
  readonly run: (input: Value) => Promise<Value>;
  readonly terminate: () => void;
  readonly ended: Promise<unknown>;
}

/** A sandbox over a real cache. A read of the core keeps the blob, as the core does. */
async function open(
  source: string,
  {
    quotaBytes = 10 * size,
    change,
    directory,
  }: { quotaBytes?: number; change?: (cache: LinkedCache) => LinkedCache; directory?: string } = {},
): Promise<Opened> {
  directory ??= await temporaryDirectory();
  const cache = await openDiskCache({ directory, quotaBytes, log: () => undefined });
  onTestFinished(() => cache.close());
  const asked: Opened["asked"] = [];
  const reports: SandboxReport[] = [];
  const host: SandboxHost = {
    async data({ sha256: name }, range) {
      asked.push(range);
      if (name !== sha256) throw new Error("no such blob here");
      await cache.put(sha256, blob);
      return blob.subarray(...(range ?? []));
    },
    put: () => Promise.reject(new Error("nothing is put here")),
    report: (report) => void reports.push(readReport(report)),
  };
  const sandboxes = createProcessSandboxes({ cache: change ? change(cache) : cache });
  const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: 256 });
  onTestFinished(() => sandbox.terminate());
  const code = new TextEncoder().encode(source);
  await sandbox.load(sha256Hex(code), code);
  return {
    cache,
    asked,
    links: () => readdirSync(cache.linkDirectory, { recursive: true }).map(String),
    async run(input) {
      const tasks = packTasks([{ index: 0, attempt: 1, input: encodeValue(input) }]);
      await sandbox.run({ kernelSha256: sha256Hex(code), seed: "0", tasks });
      return outputOf(reports.flatMap(({ finished = [] }) => finished).at(-1));
    },
    terminate: () => sandbox.terminate(),
    ended: sandbox.ended,
  };
}

describe("[KERNEL-11] large blobs of the cache", () => {
  it("are read from files, also in parts; the first of them is fetched", async () => {
    const { run, asked, links, terminate, ended } = await open(reads);
    const part: [number, number] = [1000, 1000 + largeBytes];
    const ranged = new DataReference(sha256, size, part);
    expect(await run([whole, ranged, whole])).toEqual({
      read: [blob, blob.subarray(...part), blob],
      own: true,
    });
    // The client core was asked once, when the blob was not in the cache.
    expect(asked).toEqual([undefined]);
    await until(() => links().length === 1);
    terminate();
    await ended;
    await until(() => links().length === 0);
  });

  it("have one further name each while they are asked for, and none when the kernel is done", async () => {
    const { run, links } = await open(
      `export default async (refs, ctx) => (await Promise.all(refs.map((ref) => ctx.data(ref)))).length`,
    );
    expect(await run(Array.from({ length: 100 }, () => whole))).toBe(100);
    await until(() => links().length === 1);
  });

  it("are read from files of a cache whose path is relative, or leads through a link", async () => {
    const behind = await temporaryDirectory();
    const through = join(await temporaryDirectory(), "link");
    symlinkSync(behind, through);
    const { run, asked } = await open(reads, { directory: relative(process.cwd(), through) });
    expect(await run([whole])).toMatchObject({ read: [blob] });
    expect(asked).toEqual([undefined]);
  });

  it("come from the client in small parts, and where the cache keeps no file of them", async () => {
    const small = await open(reads);
    const range: [number, number] = [5, largeBytes + 4];
    const ranged = new DataReference(sha256, size, range);
    expect(await small.run([ranged])).toMatchObject({ read: [blob.subarray(...range)] });
    expect(small.asked).toEqual([range]);
    const none = await open(reads, { quotaBytes: size - 1 });
    expect(await none.run([whole])).toMatchObject({ read: [blob] });
    expect(none.asked).toEqual([undefined]);
  });

  it("come from the client where the file system has no links, which is tried once", async () => {
    const link = vi.fn<LinkedCache["link"]>(async () => false);
    const { run, asked } = await open(reads, {
      change: ({ linkDirectory, quotaBytes }) => ({ linkDirectory, quotaBytes, link }),
    });
    expect(await run([whole, whole])).toMatchObject({ read: [blob, blob] });
    expect(link).toHaveBeenCalledTimes(2);
    expect(asked).toHaveLength(3);
  });

  it.each([
    ["gone", (path: string) => rmSync(path)],
    ["cut short", (path: string) => (rmSync(path), writeFileSync(path, blob.subarray(0, 1000)))],
  ])("come from the client when the file is %s before it is read", async (_, spoil) => {
    const { run, asked } = await open(reads, {
      change: (cache) => ({
        linkDirectory: cache.linkDirectory,
        quotaBytes: cache.quotaBytes,
        async link(...call) {
          const isLinked = await cache.link(...call);
          if (isLinked) spoil(call[2]);
          return isLinked;
        },
      }),
    });
    expect(await run([whole])).toMatchObject({ read: [blob] });
    expect(asked).toEqual([undefined, undefined]);
  });

  it("that cannot be had fail as those that come from the client", async () => {
    const { run } = await open(
      `export default async (ref, ctx) => { try { await ctx.data(ref); } catch (error) { return error.message; } }`,
    );
    expect(await run(new DataReference("0".repeat(64) as Sha256, size))).toContain("no such blob here");
  });

  it("of another size than the kernel says are no file", async () => {
    const { run, cache } = await open(reads);
    await cache.put(sha256, blob);
    const { read } = (await run([new DataReference(sha256, size + 1)])) as { read: Uint8Array[] };
    // The core compares sizes (test/client/data); this host does not.
    expect(read[0]).toHaveLength(size);
  });
});

describe("[KERNEL-11] a sandbox process that may read a directory", () => {
  it("reads its files, and none beside, above or through a link", async () => {
    const directory = await temporaryDirectory();
    const own = join(directory, "sandbox-1");
    const other = join(directory, "sandbox-10");
    await mkdir(own);
    await mkdir(other);
    writeFileSync(join(other, "0"), "other");
    linkSync(join(other, "0"), join(own, "0"));
    const paths = {
      own: join(own, "0"),
      sibling: join(other, "0"),
      parent: join(own, "..", "sandbox-10", "0"),
      slashes: `${own}//../sandbox-10/0`,
      system: "/etc/passwd",
      self: "/proc/self/environ",
      root: `/proc/self/root${other}/0`,
      directory,
    };
    const code = `
      import * as fs from "node:fs";
      const tried = {};
      const attempt = (name, action) => { try { tried[name] = action(); } catch (error) { tried[name] = error.code; } };
      for (const [name, path] of Object.entries(${JSON.stringify(paths)})) {
        attempt(name, () => fs.readFileSync(path, "utf8"));
        attempt(name + " listed", () => fs.readdirSync(path).length);
      }
      attempt("written", () => fs.writeFileSync(${JSON.stringify(paths.own)}, "mine"));
      attempt("removed", () => fs.rmSync(${JSON.stringify(paths.own)}));
      attempt("linked", () => fs.symlinkSync("/etc/passwd", ${JSON.stringify(join(own, "1"))}));
      attempt("hard link", () => fs.linkSync("/etc/passwd", ${JSON.stringify(join(own, "1"))}));
      process.stdout.write(JSON.stringify(tried));`;
    const { program, parameters } = childCommand(256, own);
    const child = spawn(program, parameters, { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    child.stdin.end(code);
    const [said] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const { own: read, "own listed": listed, ...others } = JSON.parse(said) as Record<string, unknown>;
    expect([read, listed]).toEqual(["other", "ENOTDIR"]);
    expect(new Set(Object.values(others))).toEqual(new Set(["ERR_ACCESS_DENIED"]));
    expect(existsSync(join(own, "1"))).toBe(false);
  });
});

describe("[KERNEL-11] questions of a hostile process for files", () => {
  it.each([
    ["a name that is a path", { sha256: "../".repeat(21) + "x", size }, []],
    ["no name", undefined, []],
    ["no list", { sha256, size }, "all"],
    ["a long list", { sha256, size }, Array.from({ length: 5000 }, () => "x")],
  ])("%s is refused", async (_, name, done) => {
    const directory = await temporaryDirectory();
    const cache = await openDiskCache({ directory, log: () => undefined });
    onTestFinished(() => cache.close());
    const host: SandboxHost = {
      data: async () => blob,
      put: async () => ({ sha256, size }),
      report: () => undefined,
    };
    const files = new LinkedFiles(cache, async () => blob);
    const guarded = guardHost(host, () => undefined, files);
    await expect(guarded.file(name as never, done as never)).rejects.toThrow("no question for a file");
  });

  it("no other file is removed than those that it was given", async () => {
    const directory = await temporaryDirectory();
    const cache = await openDiskCache({ directory, log: () => undefined });
    onTestFinished(() => cache.close());
    await cache.put(sha256, blob);
    const files = new LinkedFiles(cache, async () => blob);
    const victim = join(directory, "victim");
    writeFileSync(victim, "here");
    const given = await files.file({ sha256, size }, [
      victim,
      join(files.directory, "..", "victim"),
      7,
      null,
    ]);
    expect(existsSync(victim)).toBe(true);
    expect(existsSync(given!)).toBe(true);
    await files.file({ sha256, size }, [given]);
    expect(existsSync(given!)).toBe(false);
    files.end();
    expect(existsSync(files.directory)).toBe(false);
    // The cache keeps its own.
    expect(await cache.get(sha256)).toEqual(blob);
  });
});
