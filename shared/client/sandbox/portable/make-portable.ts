import { wasmBase64 } from "./binary.ts";
import { replaceClocks } from "./clocks.ts";
import { define, refuseFor } from "./define.ts";
import { refuseRelaxedSimd } from "./relaxed-simd.ts";
import { WebAssembly } from "./web-assembly.ts";

type Functions = Readonly<Record<string, (...values: number[]) => number>>;

/**
 * Makes this realm compute the same values on every machine (SPEC.md [BITS-1] to [BITS-4]): before the kernel loads, in a sandbox of its
 * own. Operations that stay as they are (`+ - * /`, `Math.sqrt`, `fround`, WebAssembly) give the same bits everywhere already.
 */
export function makePortable(): void {
  replaceMath();
  removeRandomness();
  removeLocales();
  replaceClocks();
  refuseRelaxedSimd();
}

function replaceMath(): void {
  const bytes = Uint8Array.from(atob(wasmBase64), (character) => character.charCodeAt(0));
  const {
    hypot,
    memory: _,
    ...functions
  } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Functions;
  for (const [name, value] of Object.entries(functions)) define(globalThis.Math, name, value);
  define(globalThis.Math, "hypot", (...values: number[]) => {
    let length = 0;
    for (let i = 0; i < values.length; i++) length = hypot!(length, values[i]!);
    return length;
  });
}

function removeRandomness(): void {
  const refuse = (name: string) => refuseFor(name, "ctx.random()");
  define(globalThis.Math, "random", refuse("Math.random"));
  define(globalThis, "crypto", {
    getRandomValues: refuse("crypto.getRandomValues"),
    randomUUID: refuse("crypto.randomUUID"),
  });
}

/** Text of no language: values are written as by `toString`, and ordered by code units. */
function removeLocales(): void {
  Reflect.deleteProperty(globalThis, "Intl");
  define(String.prototype, "localeCompare", function (this: unknown, other: unknown) {
    const [a, b] = [String(this), String(other)];
    return a < b ? -1 : a > b ? 1 : 0;
  });
  for (const prototype of [Number.prototype, BigInt.prototype])
    define(prototype, "toLocaleString", function (this: unknown) {
      return String(this);
    });
  for (const name of ["toUpperCase", "toLowerCase"] as const) {
    const convert = String.prototype[name];
    define(String.prototype, name.replace("to", "toLocale"), function (this: unknown) {
      return Reflect.apply(convert, this, []);
    });
  }
}
