import { describe, expect, test } from "vitest";
import { decodeValue, encodeValue } from "../../shared/wire/codec.ts";
import { parseJsonText } from "../../shared/wire/json-text.ts";
import { valueFromJson, valueToJson } from "../../shared/wire/value-json.ts";
import { sameValue, valueRows } from "../support/value-rows.ts";

describe("[VALUE-1] values in JSON", () => {
  test.each(valueRows)(
    "%s: written as JSON text and read again, it is what it was",
    (_name, value, comesAs) => {
      const text = JSON.stringify(valueToJson(decodeValue(encodeValue(value))));
      expect(sameValue(valueFromJson(parseJsonText(text)), comesAs ?? value)).toBe(true);
    },
  );

  test.each([
    [{ $ref: { sha256: "x", size: 1 } }],
    [{ $array: "Nonsense", base64: "" }],
    [{ $array: "Float32Array", base64: "AAAA" }],
    [{ $bytes: "no base64!" }],
    [{ $bytes: "AQ==", width: 3 }],
    [{ $number: "7" }],
    [{ $undefined: false }],
    [{ $what: 1 }],
  ])("the form %j is refused: it is malformed, or something beside it would be lost", (json) => {
    expect(() => valueFromJson(json)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("a value nested beyond 200 levels is refused, however deep", () => {
    const text = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(() => valueFromJson(parseJsonText(text))).toThrow(
      expect.objectContaining({ code: "UNSERIALISABLE" }),
    );
  });
});

describe("[VALUE-6] JSON text", () => {
  test.each<[string, RegExp]>([
    ['{"a":1,"a":2}', /two members "a"/],
    ['[{"b":[{"x" : 1, "y":{}, "x":2}]}]', /two members "x"/],
    ['{"a":1,"\\u0061":2}', /two members "\\u0061"/],
    ["9007199254740993", /9007199254740993 cannot be kept/],
    ['{"seed":-18446744073709551615}', /-18446744073709551615/],
    ["[1e999]", /1e999/],
    ["1e-999", /1e-999/],
  ])("%s is refused: JSON.parse would lose something", (text, message) => {
    expect(() => parseJsonText(text)).toThrow(message);
  });

  test.each([
    ['{"a":{"x":1},"b":{"x":1},"c":["x","x"]}'],
    ['{"a:b":"{\\"a\\":1,\\"a\\":2}","\\\\":":"}'],
    [
      "[9007199254740992, 9007199254740991, 1e21, 123456789012345680000, 0.1234567890123456789, 0e-999, -0.0e0]",
    ],
    ['{"__proto__":1}'],
    [" [ ] "],
  ])("%s is read as JSON.parse reads it", (text) => {
    expect(parseJsonText(text)).toEqual(JSON.parse(text));
  });
});
