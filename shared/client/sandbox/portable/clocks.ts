import { define, refuseFor } from "./define.ts";

/**
 * Removes clocks and time zones. Clocks throw, because a kernel that waits for one that stands still would wait until its timeout; dates that
 * are made of numbers or texts are as on a machine whose zone is UTC.
 */
export function replaceClocks(): void {
  const refuse = refuseFor("A clock", "a count of steps");
  useUtc();
  replaceDate(refuse);
  define(globalThis, "performance", Object.defineProperty({ now: refuse }, "timeOrigin", { get: refuse }));
  const { Event, Temporal } = globalThis as unknown as { Event: { prototype: object }; Temporal?: object };
  Object.defineProperty(Event.prototype, "timeStamp", { get: refuse });
  if (Temporal) Reflect.deleteProperty(Temporal, "Now");
}

function useUtc(): void {
  const { prototype } = Date;
  const methods = prototype as unknown as Record<string, unknown>;
  for (const part of ["FullYear", "Month", "Date", "Day", "Hours", "Minutes", "Seconds", "Milliseconds"]) {
    define(prototype, `get${part}`, methods[`getUTC${part}`]);
    if (part !== "Day") define(prototype, `set${part}`, methods[`setUTC${part}`]);
  }
  for (const name of ["getYear", "setYear"]) Reflect.deleteProperty(prototype, name);
  define(prototype, "getTimezoneOffset", () => 0);
  for (const name of ["toString", "toDateString", "toTimeString"])
    define(prototype, name, methods["toUTCString"]);
  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"])
    define(prototype, name, methods["toISOString"]);
}

function replaceDate(now: () => never): void {
  const { UTC, parse: parseHere } = Date;
  const parse = (text: unknown): number => parseHere(withZone(String(text)));
  define(Date, "parse", parse);
  define(Date, "now", now);
  const replaced: unknown = new Proxy(Date, {
    apply: now,
    construct(target, values: unknown[], newTarget: NewableFunction) {
      const [first] = values;
      if (values.length === 0) now();
      if (values.length > 1) values = [Reflect.apply(UTC, undefined, values)];
      else if (typeof first === "string") values = [parse(first)];
      return Reflect.construct(target, values, newTarget) as Date;
    },
  });
  define(Date.prototype, "constructor", replaced);
  define(globalThis, "Date", replaced);
}

/** Texts that name their zone, and ISO dates without a time of day, which are in UTC by themselves (ECMA-262 §21.4.1.32). */
const hasZone = /(?:Z|GMT|UTC?|[ECMP][SD]T|[+-]\d\d:?\d\d)\s*(?:\(.*\))?$|^[+-]?\d+(?:-\d\d){0,2}$/i;

/** A text without a zone would be local time to the engine. */
function withZone(text: string): string {
  if (hasZone.test(text)) return text;
  return text + (/\dT\d/.test(text) ? "Z" : " GMT");
}
