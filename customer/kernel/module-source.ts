import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { PlatformError } from "../../shared/errors.ts";
import { bundleKernel } from "./bundle.ts";
import { moduleOfFunction } from "./function-source.ts";
import type { AnyKernel } from "./kernel-source.ts";
import { MadeKernel } from "./made-kernel.ts";
import { portablePowers } from "./powers.ts";
import { ProgramKernel, programModule, type PreparedProgram } from "./program-kernel.ts";
import { PythonFunction } from "../python-kernel/python-function.ts";

/**
 * The ES module of a kernel, as it travels. With `takesArguments` its kernel takes the array of the arguments of `kernel`.
 *
 * @throws PlatformError BAD_ARGUMENT also for a module without the functions that the options of the job call, FILE_FAILED
 */
export async function moduleSource(
  kernel: AnyKernel | MadeKernel,
  { check, compare }: { check?: boolean | undefined; compare?: unknown },
  takesArguments: boolean,
  program?: PreparedProgram,
): Promise<string> {
  if (kernel instanceof MadeKernel) return kernel.source(program);
  if (program) return programSource(program, { check, compare });
  const isFunction = typeof kernel === "function";
  const { source, exports } = isFunction
    ? { source: await portablePowers(moduleOfFunction(kernel, takesArguments)), exports: [] }
    : await bundleKernel(urlOf(kernel));
  if (check && !exports.includes("check") && !exports.includes("suspicious"))
    throw missingExport(kernel, "check: true", "check(input, output)");
  if (compare === "kernel" && !exports.includes("compare"))
    throw missingExport(kernel, 'compare: "kernel"', "compare(a, b)");
  return takesArguments && !isFunction ? withArguments(source) : source;
}

/** A program takes the array of its arguments as it is. */
async function programSource(
  program: PreparedProgram,
  { check, compare }: { check?: boolean | undefined; compare?: unknown },
): Promise<string> {
  if (check || compare === "kernel")
    throw new PlatformError(
      "BAD_ARGUMENT",
      'check: true and compare: "kernel" are functions of a kernel module, and the kernel is a program.',
    );
  return programModule(program);
}

/** The bundle of a kernel of several arguments as the module of a kernel whose input is their array. */
function withArguments(bundle: string): string {
  // The bundler writes its statement of exports behind all code, in one line.
  const [statement, before = "", name, after = "", expression] = [
    ...bundle.matchAll(/^export (?:\{(.*?)([^\s,{]+) as default\b(.*)\}|default (.*));$/gm),
  ].at(-1)!;
  const at = bundle.lastIndexOf(statement);
  return (
    bundle.slice(0, at) +
    `const manyhandsKernel = ${name ?? expression};\n` +
    `const manyhandsSpread = (args, ctx) => manyhandsKernel(...args, ctx);\n` +
    `export {${before}manyhandsSpread as default${after}};` +
    bundle.slice(at + statement.length)
  );
}

function missingExport(kernel: AnyKernel, option: string, expected: string): PlatformError {
  return new PlatformError(
    "BAD_ARGUMENT",
    typeof kernel === "function"
      ? `The job has ${option}, and its kernel is a function; expected a module (kernelModule) that exports \`${expected}\` as well.`
      : `The job has ${option}, and the kernel module ${fileURLToPath(urlOf(kernel))} exports no such function; expected \`export function ${expected}\`.`,
  );
}

/** The address of a kernel module. */
export function urlOf(kernel: Exclude<AnyKernel, (...args: never[]) => unknown>): URL {
  if (kernel instanceof URL) return kernel;
  if (typeof kernel !== "string") return kernel.url;
  return kernel.startsWith("file:") ? new URL(kernel) : pathToFileURL(resolve(kernel));
}

/** Name of the jobs of a kernel that have none of their own. */
export function nameOf(kernel: AnyKernel | MadeKernel): string {
  if (kernel instanceof MadeKernel) return kernel.name;
  if (kernel instanceof ProgramKernel) return kernel.name.replace(/\.wasm$/, "");
  if (kernel instanceof PythonFunction) return kernel.name;
  if (typeof kernel === "function") return kernel.name || "job";
  return basename(fileURLToPath(urlOf(kernel))).replace(/\.[^.]+$/, "") || "job";
}
