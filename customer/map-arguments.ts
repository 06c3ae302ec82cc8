import { PlatformError } from "../shared/errors.ts";
import { kernelModule, type KernelModule } from "./kernel/kernel-source.ts";
import { Outputs } from "./outputs.ts";
import type { Inputs } from "./submission.ts";

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
  const isFed = inputs instanceof Outputs;
  if (!isFed && !isIterable(inputs))
    throw refusal(
      `The inputs are ${nounOf(inputs)}; expected an array, or another (async) iterable, of one input a task, or the outputs() of a job`,
    );
  if (isFed && isPlainObject(options) && options.window !== undefined)
    throw refusal("window is for inputs that this program sends, and these are the outputs of a job");
  if (rest === 0 && isPlainObject(options)) return;
  throw refusal(
    `map takes one list of inputs, and ${rest > 0 ? "more" : nounOf(options)} came after it; expected options such as {name: "night run"}. ` +
      "For a kernel of several arguments give the arguments of each task: starmap((a, b) => …, as.map((a, i) => [a, bs[i]]))",
  );
}

/**
 * The argument lists of `hands.starmap`, checked one by one.
 * @throws PlatformError BAD_ARGUMENT for one that is no array; for a list of inputs before any is submitted
 */
export function checkedArguments(inputs: Inputs<unknown>): Inputs<unknown> {
  if (Array.isArray(inputs)) {
    inputs.forEach(checkArguments);
    return inputs;
  }
  return Symbol.asyncIterator in inputs ? checkedLater(inputs) : checkedInTurn(inputs);
}

function* checkedInTurn(inputs: Iterable<unknown>): Generator<unknown, void, undefined> {
  let index = 0;
  for (const input of inputs) {
    checkArguments(input, index++);
    yield input;
  }
}

async function* checkedLater(inputs: AsyncIterable<unknown>): AsyncGenerator<unknown, void, undefined> {
  let index = 0;
  for await (const input of inputs) {
    checkArguments(input, index++);
    yield input;
  }
}

function checkArguments(input: unknown, index: number): void {
  if (!Array.isArray(input))
    throw refusal(`Input ${index} is ${nounOf(input)}; starmap expects an array of the kernel's arguments`);
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

function isPlainObject(value: unknown): value is { readonly window?: unknown } {
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
