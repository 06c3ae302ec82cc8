import type { Value } from "../../shared/wire/codec.ts";

/** A failure of the function, after which Python goes on. */
export class PythonFailure extends Error {
  constructor(message: string, stack: string, cause?: unknown) {
    super(message, { cause });
    this.stack = stack;
  }
}

/** An output that its encoder refuses with a reason: a task with such an output is not tried again (SPEC.md [FAIL-7]). */
export function unfit(reason: string): Value {
  const output = {
    get output(): Value {
      throw new Error(reason);
    },
  };
  return output;
}
