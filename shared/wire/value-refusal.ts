/** Advice for common objects that are no values. */
const hints: Readonly<Record<string, string>> = {
  Date: "send date.getTime() or date.toISOString()",
  Map: "send [...map] or Object.fromEntries(map)",
  Set: "send [...set]",
  RegExp: "send its source",
  Error: "send its message, or throw it",
  Promise: "await it",
  ArrayBuffer: "send new Uint8Array(buffer)",
  SharedArrayBuffer: "send new Uint8Array(buffer)",
  DataView: "send a Uint8Array of its bytes",
  Number: "send the number itself",
  String: "send the string itself",
  Boolean: "send true or false itself",
};

/** Message about a JavaScript object that is no value, with the form to send instead where such a form exists. */
export function refusalOf(thing: unknown): string {
  if (typeof thing === "bigint")
    return `the BigInt ${thing}n is not a value (send a string, or a BigInt64Array)`;
  if (typeof thing === "function") return "a function is not a value";
  if (typeof thing === "symbol") return "a symbol is not a value";
  const name = nameOf(thing as object);
  const hint = hints[name] ?? (thing instanceof Error ? hints["Error"] : undefined);
  return `an instance of ${name} is not a value${hint ? ` (${hint})` : ""}`;
}

function nameOf(thing: object): string {
  try {
    const { name } = thing.constructor;
    return typeof name === "string" && name !== "" ? name : "a class";
  } catch {
    return "a class";
  }
}
