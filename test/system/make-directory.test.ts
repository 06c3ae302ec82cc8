import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeDirectory } from "../../system/make-directory.ts";
import { launcher, temporaryDirectory } from "../support/processes.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";

describe("[WAIT-1] a directory", () => {
  it("is made with those above it, and may be there", async () => {
    const path = join(await temporaryDirectory(), "a", "b", "c");
    makeDirectory(path, 0o700);
    makeDirectory(path, 0o700);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    mkdirSync(join(path, "d"));
    makeDirectory(join(path, "d", "e"));
    expect(statSync(join(path, "d", "e")).isDirectory()).toBe(true);
  });

  it("is refused where a file is in the way", async () => {
    const file = join(await temporaryDirectory(), "file");
    writeFileSync(file, "");
    expect(() => makeDirectory(file)).toThrow(/EEXIST/);
    expect(() => makeDirectory(join(file, "below"))).toThrow(/ENOTDIR/);
  });

  it.skipIf(!isLinux)(`is refused where the system makes none${unlessLinux}`, () => {
    expect(() => makeDirectory("/proc/nowhere")).toThrow(/ENOENT/);
    expect(() => makeDirectory("/proc/nowhere/below")).toThrow(/ENOENT/);
  });

  it.skipIf(!isLinux).each<[string, string[], NodeJS.ProcessEnv, RegExp]>([
    ["--data", ["server", "--port", "0", "--data", "/proc/nowhere"], {}, /data directory .* cannot be made/],
    ["--cache-dir", ["client", "--server", "127.0.0.1:9", "--cache-dir", "/proc/nowhere"], {}, /ENOENT/],
    [
      "SCRATCH",
      ["map", "k.ts", "--range", "0:1", "--parallel", "thread:1:/proc/nowhere"],
      {},
      /scratch directory/,
    ],
    ["XDG_CACHE_HOME, which is not needed", ["--version"], { XDG_CACHE_HOME: "/proc/nowhere" }, /^\d/],
  ])(`that cannot be made ends no command in a loop: %s${unlessLinux}`, async (_, args, env, said) => {
    const child = spawn(process.execPath, [launcher, ...args], { env: { ...process.env, ...env } });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await once(child, "close");
    expect(text).toMatch(said);
  });
});
