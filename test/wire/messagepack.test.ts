import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { decodeValue } from "../../shared/wire/codec.ts";
import { checkMessagePack, messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import { decodeClientFrame } from "../../shared/wire/protocol.ts";
import { seededRandom } from "../../shared/random.ts";

const { frame } = messagePackBounds;
const bomb = (count: number): Uint8Array =>
  new Uint8Array(Array.from({ length: count }, () => [0xdd, 0x01, 0xc0, 0x00, 0x00]).flat());

describe("bounds before decoding", () => {
  test("an array of millions announced by five bytes is refused before anything is allocated", () => {
    const before = process.memoryUsage().heapUsed;
    for (const bytes of [bomb(1), bomb(40), bomb(200_000), new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])]) {
      expect(() => decodeValue(bytes)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
      expect(() => decodeClientFrame(bytes)).toThrow(expect.objectContaining({ code: "MALFORMED_FRAME" }));
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024);
  });

  test("nesting beyond the bound is refused, up to it is taken", () => {
    const nested = (depth: number): Uint8Array => new Uint8Array([...Array<number>(depth).fill(0x91), 0xc0]);
    expect(() => checkMessagePack(nested(32), frame)).not.toThrow();
    expect(() => checkMessagePack(nested(33), frame)).toThrow("deeper");
    expect(() => decodeClientFrame(new Uint8Array(15_000_000).fill(0x91))).toThrow();
  });

  test("[FLOW-2] a frame of more elements than any honest one is refused before it is decoded", () => {
    const report = { job: "j_aaaaaaaaaaaaaaaa", index: 0, attempt: 1, fraction: 0.5 };
    const progress = Array.from({ length: 4096 }, () => report);
    const frame = (messages: number) =>
      encode(Array.from({ length: messages }, () => ({ type: "progress", progress })));
    expect(decodeClientFrame(frame(4))).toHaveLength(4);
    expect(() => decodeClientFrame(frame(20))).toThrow(expect.objectContaining({ code: "MALFORMED_FRAME" }));
  });

  test.each([
    ["a string", [0xd9, 5, 65]],
    ["bytes", [0xc4, 9, 1, 2]],
    ["an extension", [0xc7, 200, 1]],
    ["a number", [0xcb, 1, 2]],
    ["nothing at all", []],
  ])("%s that is cut off is refused", (_name, bytes) => {
    expect(() => checkMessagePack(new Uint8Array(bytes), frame)).toThrow("beyond the end");
  });

  test("a data reference's own bytes are bounded too", () => {
    expect(() => decodeValue(new Uint8Array([0xd6, 1, 0xdd, 0x7f, 0xff, 0xff]))).toThrow();
  });

  test("whatever the library writes is taken, and a decoder that failed decodes the next value", () => {
    const random = seededRandom("messagepack");
    const make = (depth: number): unknown => {
      const dice = random();
      const size = Math.floor(random() * (dice < 0.02 ? 70_000 : 40));
      if (depth > 4 || dice < 0.3)
        return [null, true, -5, 2 ** 40, random(), -(2 ** 33), 200, 70_000][size % 8];
      if (dice < 0.5) return "ü".repeat(size);
      if (dice < 0.6) return new Uint8Array(size);
      const few = Math.floor(random() * 20);
      if (dice < 0.8) return Array.from({ length: few }, () => make(depth + 1));
      return Object.fromEntries(Array.from({ length: few }, (_, i) => [`k${i}`, make(depth + 1)]));
    };
    for (let i = 0; i < 2000; i++) {
      const value = make(0);
      const bytes = encode(value);
      expect(() => decodeValue(bytes.subarray(0, bytes.length - 1))).toThrow();
      expect(decodeValue(bytes)).toEqual(value);
    }
  });
});
