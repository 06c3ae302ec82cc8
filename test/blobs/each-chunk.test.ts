import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { eachChunk, type ByteSource } from "../../server/blobs/each-chunk.ts";

const chunks = Array.from({ length: 20 }, (_, at) => Uint8Array.of(at));

async function* iterable(): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function stream(): Readable {
  return Readable.from(iterable(), { objectMode: false });
}

const kinds: [string, () => ByteSource][] = [
  ["a stream", stream],
  ["an iterable", iterable],
];

describe.each(kinds)("chunks of %s", (_kind, source) => {
  it("come in their order, one when the one before was taken", async () => {
    const taken: number[] = [];
    let taking = 0;
    await eachChunk(source(), (chunk) => {
      expect(taking).toBe(0);
      taken.push(...chunk);
      if (taken.length % 3 !== 0) return undefined;
      taking++;
      return new Promise((resolve) =>
        setImmediate(() => {
          taking--;
          resolve();
        }),
      );
    });
    expect(taking).toBe(0);
    expect(taken).toEqual(chunks.flatMap((chunk) => [...chunk]));
  });

  it.each(["at once", "later"])("none comes after one that was refused %s", async (when) => {
    const taken: number[] = [];
    const refusal = new Error("enough");
    const taking = eachChunk(source(), (chunk) => {
      taken.push(...chunk);
      if (taken.length < 3) return undefined;
      if (when === "later") return Promise.reject(refusal);
      throw refusal;
    });
    await expect(taking).rejects.toBe(refusal);
    expect(taken).toEqual([0, 1, 2]);
  });
});

it("a stream that is refused can be drained by the caller", async () => {
  const source = stream();
  const taking = eachChunk(source, () => {
    throw new Error("enough");
  });
  await expect(taking).rejects.toThrow("enough");
  expect([...(await buffer(source))]).toEqual(chunks.slice(1).flatMap((chunk) => [...chunk]));
});

it("an empty stream has none", async () => {
  await eachChunk(Readable.from([]), () => expect.fail("a chunk"));
});

it("a stream that breaks off, and one that broke off before, is told in bytes", async () => {
  const source = new Readable({ read() {} });
  source.push(Buffer.alloc(10));
  const taking = eachChunk(source, () => {
    setImmediate(() => source.destroy(new Error("the line is dead")));
    return undefined;
  });
  await expect(taking).rejects.toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringContaining("after 10 bytes"),
  });
  await expect(eachChunk(source, () => undefined)).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

it("an iterable that fails is told in bytes", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(7);
    throw new Error("the line is dead");
  }
  const taking = eachChunk(failing(), () => undefined);
  await expect(taking).rejects.toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringContaining("after 7 bytes"),
  });
});
