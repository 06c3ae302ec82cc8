import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keptBundle, type KeptBundle } from "../../node-client/bundle/kept-bundle.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { loadRunnerBundle } from "../../node-client/sandbox/runner-bundle.ts";
import { kernelVectors } from "../contract/kernel-vectors.ts";
import { runVector } from "../contract/run-vector.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";

const isRoot = process.getuid?.() === 0;

let sources: string;
let cache: string;
let entry: string;
beforeEach(async () => {
  sources = await temporaryDirectory();
  cache = await temporaryDirectory();
  // Directory for a bundle that the cache cannot keep.
  vi.stubEnv("TMPDIR", await temporaryDirectory());
  entry = join(sources, "entry.ts");
  await writeFile(entry, `import { one } from "./one.ts"; export const two: number = one + 1;`);
  await writeFile(join(sources, "one.ts"), "export const one: number = 1;");
});
afterEach(() => vi.unstubAllEnvs());

/** Asks as another process would: this process remembers bundles by the spelling of their directory. */
let spelling = 0;
const ask = (): Promise<KeptBundle> =>
  keptBundle({ entry, cacheDirectory: cache + "/.".repeat(++spelling), where: "local" });

/** The exports of the bundle when it is run in place. */
async function run({ path }: KeptBundle): Promise<unknown> {
  const module = (await import(`${pathToFileURL(path ?? "").href}?${++spelling}`)) as { two: unknown };
  return module.two;
}

/** Waits until the sources are older than any later bundling. */
async function settled(): Promise<void> {
  const { ctimeMs } = await stat(join(sources, "one.ts"));
  await until(() => Date.now() > ctimeMs + 50);
}

describe("a bundle", () => {
  it("is made once and kept; a damaged one is made again", async () => {
    await settled();
    const made = await ask();
    expect(await run(made)).toBe(2);
    const kept = await readFile(made.path!, "utf8");
    const { ino } = await stat(made.path!);
    expect(await ask()).toEqual(made);
    expect((await stat(made.path!)).ino).toBe(ino);
    await writeFile(made.path!, kept.slice(0, -10));
    expect(await ask()).toEqual(made);
    expect(await readFile(made.path!, "utf8")).toBe(kept);
  });

  it("is made anew when a file it is made of changes, its size and time unchanged", async () => {
    await settled();
    await ask();
    const one = join(sources, "one.ts");
    const { atime, mtime } = await stat(one);
    await writeFile(one, "export const one: number = 7;");
    await utimes(one, atime, mtime);
    await settled();
    const made = await ask();
    expect(await run(made)).toBe(8);
    expect(await readdir(join(cache, "bundles"))).toHaveLength(1);
  });

  it("is not kept when a file was written while it was made", async () => {
    const bundling = ask();
    await writeFile(join(sources, "one.ts"), "export const one: number = 3;");
    await bundling;
    await settled();
    expect(await run(await ask())).toBe(4);
  });

  it("is read by many processes that come at the same time, whole", async () => {
    await settled();
    const made = await Promise.all(Array.from({ length: 4 }, ask));
    expect(new Set(made.map(({ code }) => code)).size).toBe(1);
    for (const one of made) expect(await run(one)).toBe(2);
    expect(await readdir(join(cache, "bundles"))).toHaveLength(1);
  });

  it("goes to a directory of this user's own where the cache cannot be written", async () => {
    await settled();
    await writeFile(join(cache, "bundles"), "in the way");
    const made = await ask();
    expect(made.path).toContain(tmpdir());
    expect(await run(made)).toBe(2);
    expect(await ask()).toEqual(made);
  });

  it("in a directory that others can write to is not touched", async () => {
    await settled();
    const { path } = await ask();
    await chmod(join(cache, "bundles"), 0o777);
    await writeFile(path!, "export const two = 'planted';");
    const made = await ask();
    expect(made.path).not.toBe(path);
    expect(await run(made)).toBe(2);
  });

  it.skipIf(!isRoot)(
    `of another user is not run${skipped(!isRoot, "only root can give files away")}`,
    async () => {
      await settled();
      await mkdir(join(cache, "bundles"), { mode: 0o755 });
      await chown(join(cache, "bundles"), 65_534, 65_534);
      const made = await ask();
      expect(made.path).toContain(tmpdir());
      expect((await stat(made.path!)).uid).toBe(0);
      await chown(made.path!, 65_534, 65_534);
      await ask();
      expect((await stat(made.path!)).uid).toBe(0);
    },
  );
});

it("tells kernels nothing of where it lies", async () => {
  const code = await loadRunnerBundle(await temporaryDirectory());
  expect(code).not.toContain(process.cwd());
});

it("sandboxes start where nothing can be kept", async () => {
  const directory = join(await temporaryDirectory(), "file");
  await writeFile(directory, "in the way");
  vi.stubEnv("TMPDIR", directory);
  const sandboxes = createProcessSandboxes({ cacheDirectory: directory });
  expect(await runVector(sandboxes, kernelVectors[0]!)).toMatchObject({ state: "done", output: 144 });
});

it("thread:N computes where nothing can be kept, and keeps its engine where it can", async () => {
  const program = async (cacheDirectory: string): Promise<string> => {
    const index = join(import.meta.dirname, "../../parallel/index.ts");
    const code = `
      import { connect } from ${JSON.stringify(index)};
      await using hands = await connect("thread:1");
      console.log(await hands.map((x) => x + 1, [1]));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      env: { ...process.env, XDG_CACHE_HOME: cacheDirectory, TMPDIR: join(cacheDirectory, "no") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await once(child, "close");
    return output.trim();
  };
  expect(await program("/dev/null/nothing")).toBe("[ 2 ]");
  expect(await program(cache)).toBe("[ 2 ]");
  const kept = await readdir(join(cache, "manyhands", "bundles"));
  expect(kept.toSorted()).toEqual([
    "compiled",
    expect.stringMatching(/^engine-entry-\w{16}\.mjs$/) as string,
    expect.stringMatching(/^entry-\w{16}\.mjs$/) as string,
  ]);
  expect(existsSync(join(cache, "no"))).toBe(false);
});
