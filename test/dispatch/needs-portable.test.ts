import { expect, test } from "vitest";
import { needsPortable } from "../../server/dispatch/needs-portable.ts";

test.each([
  ["(x) => x * x", false],
  ["(x) => Math.sqrt(Math.abs(x)) + Math.floor(x) * Math.PI", false],
  ["(x) => Math.round(x) + Math.trunc(x) + Math.SQRT2 + Math.imul(x, 3)", false],
  ["() => Date.now()", true],
  ["() => performance.now()", true],
  ["(x) => x.itself", false],
  ["(x) => Math.sin(x)", true],
  ["(x) => Math.round(x) + Math.exp(x)", true],
  ["(x) => Math.log(x) + Math.LOG2E", true],
  ["(x, name) => Math[name](x)", true],
  ["const { sin } = Math", true],
  ["(x, name) => globalThis[name].sin(x)", true],
  ["(x, name) => self[name].sin(x)", true],
  ["(x, text) => eval(text)", true],
  ["(x, text) => new Function(text)(x)", true],
  [String.raw`(x) => M\u0061th.sin(x)`, true],
  ["(x) => x.toLocaleString()", true],
  ["() => new Date()", true],
  ["(x) => WebAssembly.compile(x)", true],
])("[BITS-1] a kernel %s needs a portable sandbox: %s", (source, needed) => {
  expect(needsPortable(new TextEncoder().encode(source))).toBe(needed);
});
