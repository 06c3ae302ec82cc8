import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { splitLines, splitMessagePack, type Framing } from "../../server/http/framing.ts";
import { limits } from "../../shared/limits.ts";
import { seededRandom } from "../../shared/random.ts";

async function* chunked(bytes: Uint8Array, next: () => number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(next() * 40);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(framing: Framing, chunks: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const items: Buffer[] = [];
  for await (const some of framing(chunks)) items.push(...some.map((item) => Buffer.from(item)));
  return items;
}

function randomValue(next: () => number, depth = 0): unknown {
  const pick = Math.floor(next() * (depth > 3 ? 8 : 10));
  if (pick === 0) return null;
  if (pick === 1) return next() < 0.5;
  if (pick === 2) return Math.floor(next() * 2 ** 40) - 2 ** 39;
  if (pick === 3) return next();
  if (pick === 4) return "ä".repeat(Math.floor(next() * 300));
  if (pick === 5) return new Uint8Array(Math.floor(next() * 70_000));
  if (pick === 6) return Math.floor(next() * 200) - 100;
  if (pick === 7) return "k".repeat(Math.floor(next() * 40));
  const list = Array.from({ length: Math.floor(next() * 20) }, () => randomValue(next, depth + 1));
  return pick === 8 ? list : Object.fromEntries(list.map((value, i) => [`k${i}`, value]));
}

describe("MessagePack streams", () => {
  test.each(["a", "b", "c", "d"])("items come out as they went in, however cut (seed %s)", async (seed) => {
    const next = seededRandom(seed);
    const items = Array.from({ length: 60 }, () => Buffer.from(encode(randomValue(next))));
    const small = items.filter((item) => item.length < limits.inlineValueBytes);
    expect(await collect(splitMessagePack, chunked(Buffer.concat(small), next))).toEqual(small);
  });

  test("a stream that ends inside an item is refused, after the items before it", async () => {
    const whole = Buffer.from(encode({ index: 0, input: new Uint8Array(100) }));
    const seen: Uint8Array[] = [];
    const reading = (async () => {
      for await (const items of splitMessagePack(
        chunked(Buffer.concat([whole, whole.subarray(0, -1)]), () => 0.5),
      ))
        seen.push(...items);
    })();
    await expect(reading).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(seen).toHaveLength(1);
  });

  test("a count that promises more than an item may hold is refused at once", async () => {
    const nested = Buffer.concat(Array.from({ length: 20 }, () => Buffer.from([0xdc, 0x04, 0x00])));
    await expect(
      collect(
        splitMessagePack,
        chunked(nested, () => 0.9),
      ),
    ).rejects.toMatchObject({ code: "TOO_LARGE" });
    const huge = Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 1]);
    await expect(
      collect(
        splitMessagePack,
        chunked(huge, () => 0.9),
      ),
    ).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  test("a byte that is no MessagePack is refused", async () => {
    await expect(
      collect(
        splitMessagePack,
        chunked(Buffer.from([0x01, 0xc1]), () => 0.9),
      ),
    ).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
  });
});

describe("lines", () => {
  test.each(["a", "b"])("lines come out as they went in, however cut (seed %s)", async (seed) => {
    const next = seededRandom(seed);
    const lines = Array.from({ length: 200 }, () => "ü".repeat(Math.floor(next() * 60)));
    const items = await collect(splitLines, chunked(Buffer.from(`${lines.join("\n")}\n`), next));
    expect(items.map(String)).toEqual(lines);
  });

  test("the last line needs no end", async () => {
    expect(
      (
        await collect(
          splitLines,
          chunked(Buffer.from("1\n2"), () => 0),
        )
      ).map(String),
    ).toEqual(["1", "2"]);
  });

  test("a line without end is refused once it is too long", async () => {
    async function* endless(): AsyncIterable<Uint8Array> {
      for (;;) yield new Uint8Array(1024 * 1024).fill(97);
    }
    await expect(collect(splitLines, endless())).rejects.toMatchObject({ code: "TOO_LARGE" });
  });
});
