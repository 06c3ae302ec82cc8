import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BatchedWriter } from "../../server/blobs/batched-writer.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "manyhands-writer-"));
  path = join(directory, "file");
});
afterEach(() => rmSync(directory, { recursive: true }));

const pieceSizes = [0, 1, 65_536, 262_143, 262_144, 262_145, 524_288, 1_000_003];

it.each(pieceSizes)(
  "writes what came, in its order, in pieces of %i bytes and of all sizes",
  async (size) => {
    const file = openSync(path, "w");
    const writer = new BatchedWriter(file);
    const written: Buffer[] = [];
    for (const length of [size, 1, size, ...pieceSizes, size]) {
      const chunk = randomBytes(length);
      written.push(Buffer.from(chunk));
      await writer.write(chunk);
      // As the memory of a request's pieces may be.
      chunk.fill(0);
    }
    await writer.end();
    closeSync(file);
    expect(readFileSync(path).equals(Buffer.concat(written))).toBe(true);
  },
);

it("several at once do not meet", async () => {
  const contents = Array.from({ length: 8 }, () => randomBytes(700_001));
  await Promise.all(
    contents.map(async (bytes, at) => {
      const file = openSync(`${path}${at}`, "w");
      const writer = new BatchedWriter(file);
      for (let from = 0; from < bytes.length; from += 65_536)
        await writer.write(bytes.subarray(from, from + 65_536));
      await writer.end();
      closeSync(file);
    }),
  );
  for (const [at, bytes] of contents.entries()) expect(readFileSync(`${path}${at}`).equals(bytes)).toBe(true);
});

it("tells that a write failed, and ends all the same", async () => {
  const file = openSync("/dev/full", "w");
  const writer = new BatchedWriter(file);
  await expect(
    (async () => {
      for (let pieces = 0; pieces < 10; pieces++) await writer.write(randomBytes(262_144));
      await writer.end();
    })(),
  ).rejects.toMatchObject({ code: "ENOSPC" });
  await writer.abandon();
  closeSync(file);
});
