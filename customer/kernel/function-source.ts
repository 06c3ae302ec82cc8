import { Script } from "node:vm";
import { PlatformError } from "../../shared/errors.ts";

/**
 * The ES module of an inline function.
 * @param takesArguments - the kernel has several arguments, and its input is their array
 * @throws as {@link declarationOf}
 */
export function moduleOfFunction(kernel: (...args: never[]) => unknown, takesArguments = false): string {
  const { helper, expression } = expressionOf(kernel);
  if (!takesArguments) return `${helper}export default ${expression};\n`;
  return `${helper}const manyhandsKernel = ${expression};\nexport default (args, ctx) => manyhandsKernel(...args, ctx);\n`;
}

/**
 * The declaration of an inline function (arrow, function, async or method shorthand) under a name.
 * @throws PlatformError BAD_ARGUMENT for a function without source (native, bound) or of another kind (class, generator)
 */
export function declarationOf(kernel: (...args: never[]) => unknown, name: string): string {
  const { helper, expression } = expressionOf(kernel);
  return `const ${name} = (() => {\n${helper}return ${expression};\n})();\n`;
}

function expressionOf(kernel: (...args: never[]) => unknown): { helper: string; expression: string } {
  const source = Function.prototype.toString.call(kernel);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
    throw refusal(
      kernel,
      "it is native or bound, so it has no source to send",
      "write `input => name(input)` instead",
    );
  if (/^class\b/.test(source)) throw refusal(kernel, "it is a class", "give a function");
  if (Object.prototype.toString.call(kernel).endsWith("GeneratorFunction]"))
    throw refusal(kernel, "it is a generator", "return one output a task");
  const expression = [`(${source})`, `Object.values({ ${source} })[0]`].find(isExpression);
  if (expression === undefined)
    throw refusal(
      kernel,
      "its source does not stand alone as a function",
      "put it into a module and use kernelModule",
    );
  return { helper: namingHelper(source), expression };
}

function isExpression(text: string): boolean {
  try {
    // The script is compiled and never run, so that the customer's function has no effect here.
    void new Script(`"use strict"; void ${text}`);
    return true;
  } catch {
    return false;
  }
}

/** The helper that TypeScript runners (esbuild with keepNames, as tsx) call in functions. */
function namingHelper(source: string): string {
  return source.includes("__name(") ? "const __name = (value) => value;\n" : "";
}

function refusal(kernel: { name: string }, why: string, instead: string): PlatformError {
  return new PlatformError(
    "BAD_ARGUMENT",
    `The function ${kernel.name || "given"} cannot be a kernel: ${why}; ${instead}.`,
  );
}
