import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import {
  checkValue,
  decodeValue,
  encodeShared,
  encodeValue,
  encodeWithReferences,
  type Value,
} from "../../shared/wire/codec.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { seededRandom } from "../../shared/random.ts";
import { refusedValues, sameValue, valueRows } from "../support/value-rows.ts";

const reference = new DataReference(sha256Hex(new Uint8Array([1])), 100, [10, 20]);

describe("[VALUE-1] values in MessagePack", () => {
  test.each(valueRows)(
    "%s: comes back as it was, and is what the library reads too",
    (_name, value, comesAs) => {
      const bytes = encodeValue(value);
      expect(() => checkValue(bytes)).not.toThrow();
      expect(sameValue(decodeValue(bytes), comesAs ?? value)).toBe(true);
    },
  );

  test.each(refusedValues)("%s: refused by name and place", (_name, make, message) => {
    const failure = refusalOf(() => encodeValue({ rows: [1, make()] } as Value));
    expect(failure).toMatchObject({ code: "UNSERIALISABLE" });
    expect(String(failure)).toMatch(message);
    expect(String(failure)).toContain("(at .rows[1]");
  });

  test("a value that holds itself, and one nested beyond 200 levels, are refused; 200 levels are taken", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const nested = (depth: number): Value => (depth === 0 ? 1 : [nested(depth - 1)]);
    for (const value of [cycle as Value, nested(201)])
      expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: "UNSERIALISABLE" }));
    expect(decodeValue(encodeValue(nested(200)))).toEqual(nested(200));
    expect(decodeValue(encodeValue("after it failed"))).toBe("after it failed");
  });

  test("numbers, text and containers of every length have the bytes that the library gives them", () => {
    const random = seededRandom("values");
    const sizes = [0, 1, 15, 16, 24, 25, 31, 32, 85, 86, 255, 256, 4096, 21_846, 65_535, 65_536];
    for (const size of sizes)
      for (const unit of ["a", "ü", "€", "\u{1F44B}", "\uFEFF", "\0"]) {
        const text = unit.repeat(size);
        const isSame =
          Buffer.compare(encodeValue(text), encode(text)) === 0 && decodeValue(encode(text)) === text;
        expect(isSame, `${size} of ${JSON.stringify(unit)}`).toBe(true);
        expect(Buffer.compare(encodeValue([1, text]), encode([1, text])), `${size}`).toBe(0);
      }
    for (const size of sizes) {
      const list = Array.from(
        { length: size },
        () => Math.round((random() - 0.5) * 2 ** Math.floor(random() * 53)) + 0,
      );
      const object = Object.fromEntries(list.map((number, i) => [`key ${i}`, number]));
      for (const value of [list, object, new Uint8Array(size)]) {
        const library = encode(value);
        expect(Buffer.compare(encodeValue(value), library)).toBe(0);
        expect(sameValue(decodeValue(library), value)).toBe(true);
      }
    }
    for (let bits = 0; bits <= 53; bits++)
      for (const value of [2 ** bits, 2 ** bits - 1, -(2 ** bits), 1 - 2 ** bits, 2 ** bits + 0.5].map(
        (n) => n + 0,
      ))
        expect(decodeValue(encodeValue(value))).toBe(value);
  });

  test("a value whose getter encodes another is not torn", () => {
    const value = {
      get first(): string {
        encodeShared({ inner: "x".repeat(10_000) });
        return "kept";
      },
      second: 2,
    };
    expect(decodeValue(encodeValue(value))).toEqual({ first: "kept", second: 2 });
  });

  test("references in a value are named once each, in order", () => {
    const other = new DataReference(sha256Hex(new Uint8Array([2])), 7);
    const { refs } = encodeWithReferences([reference, { x: other }, reference.slice(0, 5)]);
    expect(refs).toEqual([
      { sha256: reference.sha256, size: 100 },
      { sha256: other.sha256, size: 7 },
    ]);
    expect(encodeWithReferences([1]).refs).toEqual([]);
  });

  test("the bytes are the caller's own, unless shared is asked for", () => {
    const [first, second] = [encodeValue("first"), encodeValue("other")];
    expect([decodeValue(first), decodeValue(second)]).toEqual(["first", "other"]);
    const shared = encodeShared("first").bytes;
    encodeShared("other");
    expect(decodeValue(shared)).toBe("other");
  });
});

test("[BITS-2] outputs have one NaN, whatever bits it was made with; other bits stay", () => {
  const odd64 = new Float64Array(
    new BigUint64Array([0xfff8000000000001n, 0x7ff4dead00000000n, 0x4000000000000000n]).buffer,
  );
  const odd32 = new Float32Array(new Uint32Array([0xffc00001, 0x7fa00000, 0x3f800000]).buffer);
  const odd16 = new Float16Array(new Uint16Array([0xfe01, 0x3c00]).buffer);
  const value = { a: odd64, b: odd32, c: odd16, d: odd64[0]! };
  const canonical = {
    a: new Float64Array(new BigUint64Array([0x7ff8n << 48n, 0x7ff8n << 48n, 0x4000000000000000n]).buffer),
    b: new Float32Array(new Uint32Array([0x7fc00000, 0x7fc00000, 0x3f800000]).buffer),
    c: new Float16Array(new Uint16Array([0x7e00, 0x3c00]).buffer),
    d: NaN,
  };
  expect(Buffer.from(encodeShared(value, { oneNaN: true }).bytes)).toEqual(
    Buffer.from(encodeValue(canonical)),
  );
  expect(Buffer.from(encodeValue(canonical)).toString("hex")).toContain("cb7ff8000000000000");
  const asGiven = decodeValue(encodeValue({ a: odd64 })) as { a: Float64Array };
  expect(new Uint8Array(asGiven.a.buffer)).toEqual(new Uint8Array(odd64.buffer));
});

test("[VALUE-2] every array that is decoded has a buffer of its own, exactly its bytes, wherever they came from", () => {
  const encoded = encodeValue({
    a: new Float32Array([1, 2, 3]),
    b: new Uint8Array([9, 8]),
    c: [new Uint8Array(0)],
  });
  for (let offset = 0; offset < 9; offset++) {
    const bytes = Buffer.concat([Buffer.alloc(offset), encoded]).subarray(offset);
    const { a, b, c } = decodeValue(bytes) as { a: Float32Array; b: Uint8Array; c: Uint8Array[] };
    expect(new Float32Array(a.buffer)).toEqual(new Float32Array([1, 2, 3]));
    for (const array of [b, ...c]) {
      expect(Object.getPrototypeOf(array)).toBe(Uint8Array.prototype);
      expect([array.byteOffset, array.buffer.byteLength]).toEqual([0, array.length]);
    }
    b.fill(0);
    expect((decodeValue(bytes) as { b: Uint8Array }).b).toEqual(new Uint8Array([9, 8]));
  }
});

describe("[VALUE-3] bytes that are no value", () => {
  const ext = (type: number, ...body: number[]): number[] => [0xc7, body.length, type, ...body];
  test.each<[string, number[]]>([
    ["nothing", []],
    ["a byte without a meaning", [0xc1]],
    ["one inside", [0x92, 1, 0xc1]],
    ["a cut array", [0x92, 1]],
    ["a cut string", [0xa3, 0x61, 0x62]],
    ["a string of a length that is not there", [0xd9]],
    ["a string of half a length", [0xda, 0]],
    ["a string announcing gigabytes", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["bytes behind it", [1, 2]],
    ["a timestamp", [0xd6, 0xff, 0, 0, 0, 1]],
    ["an extension nobody knows", ext(77, 1)],
    ["a typed array of an unknown kind", ext(2, 99, 0, 0)],
    ["a typed array without a kind", ext(2)],
    ["a typed array of one and a half elements", ext(2, 6, 0, 0, 0, 0, 0, 0)],
    ["a reference that is none", ext(1, 0x90)],
    ["text of half a unit", ext(4, 0x61)],
    ["something of the language that is none", ext(3, 7)],
    ["a key that is a number", [0x81, 1, 2]],
    ["an integer beyond 2^53", [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ["an integer below -2^53", [0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 0]],
  ])("%s: refused without decoding, and by decoding alike", (_name, bytes) => {
    for (const read of [checkValue, decodeValue])
      expect(() => read(new Uint8Array(bytes))).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("whatever the check takes is decoded, and whatever is decoded is encoded again (seeded mutations)", () => {
    const random = seededRandom("mutations");
    const seeds = valueRows.map(([, value]) => encodeValue(value)).filter(({ length }) => length < 2000);
    let taken = 0;
    for (let round = 0; round < 10_000; round++) {
      const bytes = seeds[Math.floor(random() * seeds.length)]!.slice();
      for (let i = 0; i < 1 + random() * 3; i++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const cut = random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      if (refusalOf(() => checkValue(cut))) {
        expect(() => decodeValue(cut)).toThrow();
        continue;
      }
      taken++;
      const value = decodeValue(cut);
      expect(sameValue(decodeValue(encodeValue(value)), value)).toBe(true);
    }
    expect(taken).toBeGreaterThan(1000);
  });

  test("bytes in text that are no UTF-8 read as U+FFFD", () => {
    expect(decodeValue(new Uint8Array([0xa2, 0x61, 0xff]))).toBe("a\uFFFD");
  });
});

describe("data references", () => {
  test("a slice of a slice counts from its own start", () => {
    expect(reference.slice(2, 5).range).toEqual([12, 15]);
    expect(reference.slice(2).length).toBe(8);
    expect(() => reference.slice(5, 11)).toThrow(RangeError);
  });
});

function refusalOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
