import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { drained } from "../../customer/cli/output.ts";
import { launcher, temporaryDirectory } from "../support/processes.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";

/** Runs `manyhands map` over more results than a pipe or buffer holds, in a shell. */
async function map(end: string): Promise<{ code: number | null; err: string }> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "twice.ts"), "export default (x: number) => 2 * x;\n");
  const command = `"${process.execPath}" "${launcher}" map twice.ts --range 0:20000 --parallel thread:1 --quiet ${end}`;
  const child = spawn("bash", ["-c", `set -o pipefail; ${command}`], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, err };
}

describe("[WAIT-1] results that cannot be written", () => {
  it.skipIf(!isLinux).each([
    ["a file on a full disk", "--out /dev/full", /cannot be written to \/dev\/full: ENOSPC/],
    ["standard output on a full disk", "> /dev/full", /standard output cannot be written: ENOSPC/],
    ["a folder that cannot be", "--out /proc/nowhere/out.ndjson", /cannot be written to .*ENOENT/],
  ])(`end the command, and say so: %s${unlessLinux}`, async (_, end, reason) => {
    expect(await map(end)).toEqual({ code: 2, err: expect.stringMatching(reason) as string });
  });

  it("end the command in silence when the reader has seen enough", async () => {
    expect(await map("| head -1")).toEqual({ code: 0, err: "" });
  });
});

describe("[WAIT-1] waiting for room in a stream", () => {
  it("ends when there is some", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    stream.write("much");
    const waiting = drained(stream);
    stream.resume();
    await waiting;
    await drained(stream);
  });

  it("ends by the error that takes it away, also when that came before", async () => {
    const error = new Error("disk full");
    const stream = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => setImmediate(done, error),
    });
    stream.on("error", () => undefined);
    stream.write("much");
    await expect(drained(stream)).rejects.toBe(error);
    await expect(drained(stream)).rejects.toBe(error);
  });

  it("ends when the stream is closed", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    stream.write("much");
    const waiting = drained(stream);
    stream.destroy();
    await expect(waiting).rejects.toThrow(/closed/);
  });
});
