import { decodeValue, type Value } from "../../shared/wire/codec.ts";
import type { VerifyingContext } from "../../shared/wire/kernel.ts";
import type { VerifyingCall } from "../../shared/wire/protocol.ts";

/**
 * Calls a verifying function of a kernel module (SPEC.md [VERIFY-7], [VERIFY-8]).
 * @returns `{correct, suspicious}` for `inspect`, a boolean for `compare`
 * @throws Error when the module does not export the function, and the errors of the function
 */
export async function callVerifying(
  module: Readonly<Record<string, unknown>>,
  { name, value }: VerifyingCall,
  input: Value,
  { data, log }: VerifyingContext,
): Promise<Value> {
  const ctx: VerifyingContext = { data, log };
  const second = decodeValue(value);
  if (name === "compare") return (await exported(module, "compare")(input, second, ctx)) === true;
  if (module["check"] === undefined && module["suspicious"] === undefined)
    throw new Error(
      "The kernel module exports neither `check` nor `suspicious`; a job with `check` expects `export function check(input, output)`, which returns true for a correct output.",
    );
  return {
    correct: module["check"] === undefined || (await exported(module, "check")(input, second, ctx)) === true,
    suspicious:
      module["suspicious"] !== undefined && (await exported(module, "suspicious")(second, ctx)) === true,
  };
}

function exported(
  module: Readonly<Record<string, unknown>>,
  name: string,
): (...values: unknown[]) => unknown {
  const call = module[name];
  if (typeof call === "function") return call as (...values: unknown[]) => unknown;
  throw new Error(
    `The kernel module's \`${name}\` is ${typeof call}; a function is expected, as in \`export function ${name}(…)\`.`,
  );
}
