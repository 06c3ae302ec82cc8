import { wasmBase64 } from "./binary.ts";
import { refuseRelaxedSimd } from "./relaxed-simd.ts";

/** What is used of it: neither Node's types nor the language's have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

type Functions = Readonly<Record<string, (...values: number[]) => number>>;

/**
 * Makes this realm compute the same values on every machine (SPEC.md [BITS-1] to [BITS-4]): before the kernel loads, in a sandbox of its
 * own. What stays as it is (`+ - * /`, `Math.sqrt`, `fround`, WebAssembly) is the same bits everywhere already.
 */
export function makePortable(): void {
  replaceMath();
  removeRandomness();
  removeLocales();
  useUtc();
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
  const refuse = (name: string) => () => {
    throw new Error(
      `${name} is not the same on every machine; expected ctx.random(), or a job with math: "native".`,
    );
  };
  define(globalThis.Math, "random", refuse("Math.random"));
  define(globalThis, "crypto", {
    getRandomValues: refuse("crypto.getRandomValues"),
    randomUUID: refuse("crypto.randomUUID"),
  });
}

/** Text as in no language: what depends on one is written as `toString` has it, and ordered by code units. */
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

/** Time zones: every date is as on a machine whose zone is UTC. */
function useUtc(): void {
  const { prototype } = Date;
  const methods = prototype as unknown as Record<string, (...values: number[]) => number>;
  const local = Object.fromEntries(
    ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds"].map((part) => [
      part,
      methods[`get${part}`]!,
    ]),
  );
  for (const part of ["FullYear", "Month", "Date", "Day", "Hours", "Minutes", "Seconds", "Milliseconds"]) {
    define(prototype, `get${part}`, methods[`getUTC${part}`]);
    if (part !== "Day") define(prototype, `set${part}`, methods[`setUTC${part}`]);
  }
  define(prototype, "getTimezoneOffset", () => 0);
  for (const name of ["toString", "toDateString", "toTimeString"])
    define(prototype, name, methods["toUTCString"]);
  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"])
    define(prototype, name, methods["toISOString"]);
  const { UTC, parse: parseHere } = Date;
  /** A text without a zone is local time to the engine: the same hours in UTC. */
  const parse = (text: unknown): number => {
    const time = parseHere(String(text));
    if (hasZone.test(String(text)) || Number.isNaN(time)) return time;
    const date = new Native(time);
    const [year, month, day, hours, minutes, seconds] = Object.values(local).map((part) => part.call(date));
    return UTC(year!, month, day, hours, minutes, seconds, time - Math.floor(time / 1000) * 1000);
  };
  const Native = Date;
  define(Date, "parse", parse);
  const replaced: unknown = new Proxy(Date, {
    apply: () => new Native().toString(),
    construct(target, values: unknown[], newTarget: NewableFunction) {
      const [first] = values;
      const given =
        values.length > 1
          ? [Reflect.apply(UTC, undefined, values)]
          : typeof first === "string"
            ? [parse(first)]
            : values;
      return Reflect.construct(target, given, newTarget) as Date;
    },
  });
  define(prototype, "constructor", replaced);
  define(globalThis, "Date", replaced);
  const { Temporal } = globalThis as { Temporal?: object };
  if (Temporal) Reflect.deleteProperty(Temporal, "Now");
}

/** Texts that name their zone, and dates alone, which are in UTC anyway (ECMA-262 §21.4.1.32). */
const hasZone = /(?:Z|GMT|UTC|[+-]\d\d:?\d\d)\s*(?:\(.*\))?$|^[+-]?\d+(?:-\d\d){0,2}$/i;

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
}
