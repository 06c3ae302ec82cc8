import { randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BatchedWriter } from "../../server/blobs/batched-writer.ts";
import { isWindows, onWindows } from "../support/skipped.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "manyhands-writer-"));
  path = join(directory, "file");
});
afterEach(() => rmSync(directory, { recursive: true }));

const pieceSizes = [0, 1, 65_536, 524_287, 524_288, 524_289, 1_000_003];

it.each(pieceSizes)(
  "writes what came, in its order, in pieces of %i bytes and of all sizes",
  async (size) => {
    const writer = new BatchedWriter(open(path, "wx"));
    const written: Buffer[] = [];
    for (const length of [size, 1, size, ...pieceSizes, size]) {
      const piece = randomBytes(length);
      written.push(piece);
      await writer.write(piece);
    }
    await writer.end();
    expect(readFileSync(path).equals(Buffer.concat(written))).toBe(true);
  },
);

it("many small pieces do not wait for many bytes", async () => {
  const writer = new BatchedWriter(open(path, "wx"));
  const bytes = randomBytes(10_000);
  let writes = 0;
  for (let at = 0; at < bytes.length; at++) {
    const waits = writer.write(bytes.subarray(at, at + 1));
    if (waits) writes++;
    await waits;
  }
  await writer.end();
  expect(writes).toBeGreaterThan(100);
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

it("several at once do not meet", async () => {
  const contents = Array.from({ length: 8 }, () => randomBytes(700_001));
  await Promise.all(
    contents.map(async (bytes, at) => {
      const writer = new BatchedWriter(open(`${path}${at}`, "wx"));
      for (let from = 0; from < bytes.length; from += 65_536)
        await writer.write(bytes.subarray(from, from + 65_536));
      await writer.end();
    }),
  );
  for (const [at, bytes] of contents.entries()) expect(readFileSync(`${path}${at}`).equals(bytes)).toBe(true);
});

it("an empty file is a file", async () => {
  await new BatchedWriter(open(path, "wx")).end();
  expect(readFileSync(path)).toHaveLength(0);
});

it("tells that the file cannot be made", async () => {
  const writer = new BatchedWriter(open(join(directory, "missing", "file"), "wx"));
  await expect(writeAndEnd(writer)).rejects.toMatchObject({ code: "ENOENT" });
  await writer.abandon();
});

it("tells that a write failed, and ends all the same", async () => {
  const opening = open("/dev/full", "w");
  const writer = new BatchedWriter(opening);
  await expect(writeAndEnd(writer)).rejects.toMatchObject({ code: "ENOSPC" });
  await writer.abandon();
  expect((await opening).fd).toBe(-1);
});

async function writeAndEnd(writer: BatchedWriter): Promise<void> {
  for (let pieces = 0; pieces < 40; pieces++) await writer.write(randomBytes(65_536));
  await writer.end();
}

it.skipIf(isWindows)(
  `[DATA-1] a disk that takes a part of a write and refuses the rest fails it: no part is taken for the whole${onWindows}`,
  () => {
    // The limit of a process on its files has the effect of a full disk: the write that crosses it is short, the next one fails.
    const limitKiB = 300;
    const script = `trap "" XFSZ; ulimit -f ${limitKiB}; exec "$@"`;
    const program = join(import.meta.dirname, "limited-writer.ts");
    const args = ["-c", script, "bash", process.execPath, program, path, String(512 * 1024)];
    expect(execFileSync("bash", args, { encoding: "utf8" })).toBe("EFBIG\n");
    expect(statSync(path).size).toBe(limitKiB * 1024);
  },
);
