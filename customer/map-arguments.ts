import { PlatformError } from "../shared/errors.ts";
import { kernelModule, type KernelModule } from "./kernel/kernel-source.ts";

/**
 * Refuses wrong arguments of `hands.map` before a job is submitted. TypeScript finds most of them, but not in scripts.
 * @throws PlatformError BAD_ARGUMENT
 */
export function checkMapArguments(kernel: unknown, inputs: unknown, options: unknown, rest: number): void {
  if (!isKernel(kernel))
    throw refusal(
      `The kernel is ${nounOf(kernel)}; expected a function, ${kernelModule.name}(…), or the path or file: URL of a module`,
    );
  if (typeof inputs === "string")
    throw refusal(
      "The inputs are a text; expected an array or another iterable, e.g. the parsed content of that file",
    );
  if (!isIterable(inputs))
    throw refusal(
      `The inputs are ${nounOf(inputs)}; expected an array, or another (async) iterable, of one input a task`,
    );
  if (rest === 0 && isPlainObject(options)) return;
  throw refusal(
    `map takes one list of inputs, and ${rest > 0 ? "more" : nounOf(options)} came after it; expected options such as {name: "night run"}. ` +
      "For a kernel of several values make each input of them: map(([a, b]) => …, as.map((a, i) => [a, bs[i]]))",
  );
}

function isKernel(kernel: unknown): boolean {
  if (typeof kernel === "function" || typeof kernel === "string") return true;
  return kernel instanceof URL || (kernel as KernelModule<never, unknown> | null)?.url instanceof URL;
}

function isIterable(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}

function isPlainObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !isIterable(value);
}

/** The kind of a value, for a message. */
function nounOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (value instanceof Promise) return "a promise (await it first)";
  if (typeof value === "object") return "an object";
  return typeof value === "function" ? "a function" : `a ${typeof value}`;
}

function refusal(what: string): PlatformError {
  return new PlatformError("BAD_ARGUMENT", `${what}.`);
}
