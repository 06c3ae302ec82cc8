import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSmallFile } from "../../system/read-small-file.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { isWindows, onWindows } from "../support/skipped.ts";

describe.skipIf(isWindows)(`[WAIT-1] a small file${onWindows}`, () => {
  it("is read whole, up to its bound", async () => {
    const path = join(await temporaryDirectory(), "file");
    await writeFile(path, "12345");
    expect(readSmallFile(path, 5).toString()).toBe("12345");
    expect(() => readSmallFile(path, 4)).toThrow(/more than 4 bytes/);
  });

  it.each(["/dev/zero", "/dev/null", "/"])("is not %s", (path) => {
    expect(() => readSmallFile(path, 1000)).toThrow(/a file was expected/);
  });

  it("may be a pipe, whose writer takes its time", async () => {
    const path = join(await temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [path]);
    // The writer opens both ends: a shell's `<(command)` has its writer before anybody reads.
    // The reader, which blocks this process, has to wait for bytes twice: no condition could end these two waits.
    const writer = spawn("sh", [
      "-c",
      `exec 3<>${path}; echo ready; sleep 0.2; printf 123 >&3; exec 4>${path} 3>&-; sleep 0.2; printf 45 >&4`,
    ]);
    await once(writer.stdout, "data");
    expect(readSmallFile(path, 1000).toString()).toBe("12345");
  });

  it("is empty when it is a pipe without a writer", async () => {
    const path = join(await temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [path]);
    expect(readSmallFile(path, 1000)).toHaveLength(0);
  });
});
