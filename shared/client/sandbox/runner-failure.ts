import { limits } from "../../limits.ts";

/**
 * Errors that `ctx.data` and `ctx.put` threw: a kernel that lets such an error through failed for want of data, not by its own
 * fault.
 */
const dataFailures = new WeakSet<object>();

/** The error that a failed `ctx.data` or `ctx.put` throws into the kernel. */
export function dataFailure(action: string, error: unknown): Error {
  const failure = new Error(`${action}: ${describeThrown(error).message}`, { cause: error });
  dataFailures.add(failure);
  return failure;
}

/** Whether a kernel's error is, or was directly caused by, a failed `ctx.data` or `ctx.put`. */
export function isDataFailure(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (dataFailures.has(error)) return true;
  try {
    const { cause } = error as { cause?: unknown };
    return typeof cause === "object" && cause !== null && dataFailures.has(cause);
  } catch {
    return false;
  }
}

/**
 * Message and stack of a thrown value, within the protocol's bounds. A kernel may throw a value that is no error, or an object
 * whose properties throw.
 */
export function describeThrown(error: unknown): { message: string; stack?: string } {
  try {
    if (typeof error === "object" && error !== null && "message" in error) {
      const { name, message, stack } = error as { name?: unknown; message: unknown; stack?: unknown };
      const text = String(message);
      const named = typeof name === "string" && name !== "Error" && name !== "" ? `${name}: ${text}` : text;
      const clipped = clip(
        named === "" ? "The kernel threw an error without a message." : named,
        limits.messageChars,
      );
      return typeof stack === "string"
        ? { message: clipped, stack: clip(stack, limits.stackChars) }
        : { message: clipped };
    }
    return { message: clip(`The kernel threw ${describe(error)}`, limits.messageChars) };
  } catch {
    return { message: "The kernel threw something that cannot be described." };
  }
}

const asText: (value: unknown) => string = String;

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object") return JSON.stringify(value);
  return asText(value);
}

/** Cuts text to `max` characters, and marks the cut. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
