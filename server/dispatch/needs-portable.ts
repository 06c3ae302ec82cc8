/**
 * Names of globals whose values differ between machines, and the ways to reach a global without its name. The functions and
 * constants of `Math` that IEEE 754 or the language fixes to the last bit are left out.
 */
const variable =
  /Math(?!\.(abs|ceil|floor|round|min|max|sqrt|trunc|sign|imul|clz32|fround|f16round|PI|E|LN2|LN10|LOG2E|LOG10E|SQRT2|SQRT1_2)\b)|Date|performance|timeStamp|Intl|Temporal|crypto|WebAssembly|[lL]ocale|globalThis|\b(?:self|eval|Function)\b|\\u/;

/** Whether a kernel has to run in a sandbox that computes the same values on every machine (SPEC.md [BITS-1]). */
export function needsPortable(source: Uint8Array): boolean {
  return variable.test(new TextDecoder().decode(source));
}
