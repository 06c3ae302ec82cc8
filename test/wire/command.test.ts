import * as v from "valibot";
import { expect, test } from "vitest";
import { matches } from "../../shared/path-pattern.ts";
import { commandPathSchema } from "../../shared/wire/command.ts";

test.each([
  ["a.tree", "*.tree", true],
  ["out/a.tree", "*.tree", false],
  ["out/a.tree", "**.tree", true],
  ["out/deep/a.tree", "out/**/a.tree", true],
  ["out/a.tree", "out/**/a.tree", true],
  ["outa.tree", "out/**/a.tree", false],
  ["a.tree", "**/a.tree", true],
  ["ba.tree", "**/a.tree", false],
  ["a+b", "a+b", true],
  ["aab", "a+b", false],
  ["ü.txt", "?.txt", true],
  ["/.txt", "?.txt", false],
  ["line\nbreak", "*", true],
  ["", "**", true],
  ["x", "", false],
])("[COMMAND-3] %j matches the pattern %j: %j", (path, pattern, expected) => {
  expect(matches(path, pattern)).toBe(expected);
});

test("[COMMAND-3] no pattern takes long", () => {
  const startedAt = performance.now();
  expect(matches("a".repeat(1000), `${"*a".repeat(120)}b`)).toBe(false);
  expect(matches("a/".repeat(500), `${"**/".repeat(80)}b`)).toBe(false);
  // A search that goes back would take years.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test("[COMMAND-3] paths stay below the directory", () => {
  const isInside = (path: string): boolean => v.is(commandPathSchema, path);
  expect(["a", "a/b.c", "..a", "-x", "a b"].every(isInside)).toBe(true);
  for (const path of ["", "/a", "a/", "a//b", "..", "../a", "a/../b", "./a", "a\0b", "x".repeat(1025)])
    expect(isInside(path)).toBe(false);
});
