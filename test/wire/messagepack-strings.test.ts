import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { decodeValue, encodeShared, encodeValue } from "../../shared/wire/codec.ts";
import { decodeString, encodeString } from "../../shared/wire/messagepack-strings.ts";

const lengths = [0, 1, 31, 32, 50, 51, 84, 85, 86, 255, 256, 4096, 4097, 21_846, 65_535, 65_536];

describe("a value that is one string", () => {
  test.each(["a", "ü", "€", "\u{1F44B}", "\uFEFF", "\0"])(
    "%j in any number: as the library has it",
    (unit) => {
      for (const length of lengths) {
        const text = unit.repeat(length);
        const bytes = encode(text);
        // Not toBe(text): what is printed of 65,536 characters helps nobody.
        const isSame = [
          Buffer.compare(encodeShared(text).bytes, bytes) === 0,
          Buffer.compare(encodeValue(text), bytes) === 0,
          decodeValue(bytes) === text,
          decodeString(bytes) === text,
        ];
        expect(isSame, `${length} of them`).toEqual([true, true, true, true]);
      }
    },
  );

  test("half a surrogate pair and the sign for what is unreadable are left to the library", () => {
    for (const text of ["\uD83D", "a\uDC4Bb", "\uFFFD"]) {
      expect(decodeValue(encodeValue(text))).toBe(text);
      expect(decodeString(encode(text))).toBeUndefined();
    }
    expect(encodeString("\uD83D")).toBeUndefined();
    expect(encodeValue("\uD83D".repeat(100))).toEqual(encode("\uD83D".repeat(100)));
  });

  test("bytes that are no UTF-8 decode as the library decodes them", () => {
    for (const content of [[0xff], [0xc3], [0x61, 0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x91]]) {
      const bytes = new Uint8Array([0xa0 | content.length, ...content]);
      expect(decodeValue(bytes)).toBe(decode(bytes));
    }
  });

  test.each([
    ["cut off", [0xa3, 0x61, 0x62]],
    ["followed by more", [0xa1, 0x61, 0x62]],
    ["of a length that is not there", [0xd9]],
    ["of half a length", [0xda, 0x00]],
    ["of nearly a length", [0xdb, 0, 0, 0]],
    ["announcing gigabytes", [0xdb, 0xff, 0xff, 0xff, 0xff]],
  ])("a string %s is refused", (_name, bytes) => {
    expect(() => decodeValue(new Uint8Array(bytes))).toThrow(
      expect.objectContaining({ code: "BAD_REQUEST" }),
    );
  });

  test("the bytes are the caller's own, unless shared is asked for", () => {
    const [first, second] = [encodeValue("first"), encodeValue("other")];
    expect([decodeValue(first), decodeValue(second)]).toEqual(["first", "other"]);
    const shared = encodeShared("first").bytes;
    encodeShared("other");
    expect(decodeValue(shared)).toBe("other");
  });
});
