import { describe, expect, test } from "vitest";
import { JsonTranscoder } from "../../server/http/json-transcoder.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { seededRandom } from "../../shared/random.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import { valueRows } from "../support/value-rows.ts";

function transcode(bytes: Uint8Array, next: () => number): string {
  const transcoder = new JsonTranscoder();
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, Math.floor(next()));
    text += transcoder.push(bytes.subarray(at, at + size));
    at += size;
  }
  transcoder.end();
  return text;
}

describe("[VALUE-5] values as JSON while their bytes come", () => {
  const rows = [
    ...valueRows,
    ["long bytes in a map", { a: new Uint8Array(10_001).fill(3), $b: [new Float64Array(900), "x"] }],
    ["a long key", { ["$".repeat(5000)]: { [`key ${"ü".repeat(5000)}`]: [] } }],
    ["empty containers", [[], {}, [[]], { a: {}, b: [{}] }]],
    ["long text with half a surrogate pair", { text: "\uD83D\u{1f44b}ab\uDC4B".repeat(3000) }],
  ] as typeof valueRows;
  test.each(rows)("%s: the same text as in one piece, however it is cut", (name, value) => {
    const bytes = encodeValue(value);
    const random = seededRandom(name);
    for (const most of [1, 7, 5000, 1e9]) {
      const text = transcode(bytes, () => (most === 1 ? 1 : random() * most));
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(valueToJson(value))));
    }
  });

  test("bytes that are no value, cut or followed by more are refused", () => {
    const good = encodeValue({ a: [1, new Float32Array(2000)] });
    for (const bytes of [
      good.subarray(0, -1),
      Uint8Array.of(...good, 1),
      Uint8Array.of(0xc1),
      new Uint8Array([...Array<number>(201).fill(0x91), 1]),
      Uint8Array.of(0xc8, 0x20, 0x01, 2, 99, ...new Uint8Array(0x2000)),
      Uint8Array.of(0xc8, 0x20, 0x02, 2, 6, ...new Uint8Array(0x2001)),
      Uint8Array.of(0x81, 1, 2),
    ])
      expect(() => transcode(bytes, () => 1000)).toThrow();
  });
});
